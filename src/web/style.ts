import { createHash } from 'node:crypto';

/** The only stylesheet. It is inside each page: nothing else is fetched, so nothing else needs permission. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --page: #f5f4f1; --card: #fff; --ink: #1d2021; --soft: #595f63; --line: #dcd9d2; --field: #fff; --edge: #868b8f;
  --accent: #1f5f54; --on-accent: #fff; --hover: #174a41; --wash: #eef4f2;
  --warn: #7a4a00; --warn-wash: #fdf3dd; --warn-line: #ecd39b; --bad: #a1261c; --bad-wash: #fcedeb; --bad-line: #efc1bc;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #141716; --card: #1c201f; --ink: #e9ebe8; --soft: #a9b0ad; --line: #333938; --field: #151918; --edge: #7b8481;
    --accent: #7fcbb9; --on-accent: #0d2620; --hover: #9bdacb; --wash: #1f2a28;
    --warn: #f0c878; --warn-wash: #2b2415; --warn-line: #55472a; --bad: #ff9f94; --bad-wash: #2f1c1a; --bad-line: #5e322d;
  }
}
* { box-sizing: border-box; }
html { font: 100%/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Helvetica Neue", sans-serif; -webkit-text-size-adjust: 100%; }
body { margin: 0; min-height: 100vh; padding: 2rem 1rem 3rem; background: var(--page); color: var(--ink); overflow-wrap: break-word; }
.column { margin: 0 auto; max-width: 27rem; }
.wide { max-width: 46rem; }
header { display: flex; align-items: center; gap: .6rem; margin: 0 0 1.25rem; font-weight: 600; }
header svg { display: block; color: var(--accent); }
header .who { margin-left: auto; font-weight: 400; font-size: .875rem; color: var(--soft); min-width: 0; }
main { padding: 1.75rem; border: 1px solid var(--line); border-radius: .75rem; background: var(--card); }
.wide main { padding: 0; border: 0; background: none; }
section { margin: 0 0 1.25rem; padding: 1.5rem 1.75rem; border: 1px solid var(--line); border-radius: .75rem; background: var(--card); }
footer { margin: 1.25rem .25rem 0; font-size: .8125rem; color: var(--soft); }
h1 { margin: 0 0 .6rem; font-size: 1.375rem; line-height: 1.3; font-weight: 600; text-wrap: balance; }
h2 { margin: 0 0 .25rem; font-size: 1.0625rem; line-height: 1.35; font-weight: 600; }
h3 { margin: 0; font-size: 1rem; font-weight: 600; }
p { margin: 0 0 1rem; }
pre { margin: 0 0 1rem; padding: .75rem; border: 1px solid var(--line); border-radius: .5rem; background: var(--field); white-space: pre-wrap; overflow-wrap: anywhere; }
p:last-child, pre:last-child { margin-bottom: 0; }
.soft { color: var(--soft); }
.small { font-size: .875rem; }
.after { margin-top: 1.25rem; }
a { color: var(--accent); text-underline-offset: .15em; }
pre, code, .code { font: .875em/1.5 ui-monospace, "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
form { margin: 0; }
label { display: block; margin: 0 0 .35rem; font-weight: 500; }
.hint { display: block; font-size: .875rem; font-weight: 400; color: var(--soft); }
input:not([type=checkbox], [type=radio]), select {
  display: block; width: 100%; min-height: 2.75rem; margin: 0 0 1rem; padding: .5rem .75rem; border: 1px solid var(--edge); border-radius: .5rem;
  background: var(--field); color: inherit; font: inherit;
}
input.digits { font: 1.25rem/1.5 ui-monospace, Menlo, Consolas, monospace; letter-spacing: .25em; }
button, .button {
  display: block; width: 100%; min-height: 2.75rem; padding: .5rem 1rem; border: 1px solid var(--edge); border-radius: .5rem; background: transparent;
  color: inherit; font: inherit; font-weight: 500; text-align: center; text-decoration: none; cursor: pointer;
}
button:hover, .button:hover { background: var(--wash); }
.main { border-color: var(--accent); background: var(--accent); color: var(--on-accent); }
.main:hover { border-color: var(--hover); background: var(--hover); }
.bad { color: var(--bad); border-color: var(--bad-line); }
.bad:hover { background: var(--bad-wash); }
.inline { width: auto; min-height: 2.25rem; padding: .25rem .8rem; font-size: .875rem; white-space: nowrap; }
.link { display: inline; width: auto; min-height: 0; padding: 0; border: 0; border-radius: .2rem; color: var(--accent); text-decoration: underline; text-underline-offset: .15em; font-weight: 400; }
.link:hover { background: none; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.stack > * + * { margin-top: .6rem; }
.or { display: flex; align-items: center; gap: .75rem; margin: 1.25rem 0; color: var(--soft); font-size: .875rem; }
.or::before, .or::after { content: ""; flex: 1; border-top: 1px solid var(--line); }
.note { margin: 0 0 1.25rem; padding: .75rem 1rem; border: 1px solid var(--line); border-radius: .5rem; background: var(--wash); font-size: .9375rem; }
.note.warn { border-color: var(--warn-line); background: var(--warn-wash); }
.note.warn strong { color: var(--warn); }
.note.wrong { border-color: var(--bad-line); background: var(--bad-wash); }
.note.wrong strong { color: var(--bad); }
.facts { margin: 1.1rem 0 1.25rem; border-top: 1px solid var(--line); }
.facts div { padding: .7rem 0; border-bottom: 1px solid var(--line); }
.facts dt { font-size: .8125rem; color: var(--soft); }
.facts dd { margin: 0; }
fieldset { margin: 0 0 1.25rem; padding: 0; border: 0; min-width: 0; }
legend { margin: 0 0 .35rem; padding: 0; font-weight: 600; }
.choice { display: flex; gap: .7rem; align-items: flex-start; margin: 0; padding: .5rem 0; font-weight: 400; cursor: pointer; }
.choice input { flex: none; width: 1.15rem; height: 1.15rem; margin: .2rem 0 0; accent-color: var(--accent); }
.list { list-style: none; margin: 1rem 0 0; padding: 0; }
.list > li { display: flex; flex-wrap: wrap; gap: .25rem 1rem; align-items: flex-start; padding: .9rem 0; border-top: 1px solid var(--line); }
.list .what { flex: 1 1 18rem; min-width: 0; }
.list > li:last-child { padding-bottom: 0; }
.list form { flex: none; }
.actions { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; }
.actions select { width: auto; margin: 0 !important; }
strong.code { font-weight: 700; }
.tag { font-weight: 400; display: inline-block; padding: 0 .5rem; border: 1px solid var(--line); border-radius: 1rem; font-size: .8125rem; line-height: 1.5rem; color: var(--soft); white-space: nowrap; }
.tag.warn { border-color: var(--warn-line); background: var(--warn-wash); color: var(--warn); }
.row { display: flex; flex-wrap: wrap; gap: .5rem .75rem; align-items: flex-end; }
.row > div { flex: 1 1 12rem; }
.row input, .row select { margin: 0 !important; }
.row > button { flex: none; width: auto; }
.fields { margin: 0 0 1.25rem; }
.more { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin: 1rem 0 0; }
nav { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin: 0 0 1.25rem; font-size: .9375rem; }
nav [aria-current] { color: inherit; font-weight: 600; text-decoration: none; }
@media (max-width: 30rem) {
  body { padding: 1.25rem .75rem 2rem; }
  main { padding: 1.25rem; }
  section { padding: 1.25rem; }
}
@media (forced-colors: active) { .main { border-width: 2px; } }
`;

/** The name of this stylesheet in a Content-Security-Policy. */
export const STYLE_HASH = `'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`;
