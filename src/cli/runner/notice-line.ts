import type { Notice } from '../../runner/notice.ts';
import { asSentence, cleanLine } from '../../text.ts';
import { styled } from '../terminal/output.ts';

type About = { name: string; what: 'database' | 'server' };

/** What a person reads of what happens; undefined for what is no news to them. */
export function noticeLine(notice: Notice, { name, what }: About): string | undefined {
  switch (notice.what) {
    case 'registered':
      return `${styled('bold', name)} waits for commands: cairn send "…" --to ${name}`;
    case 'away':
      return styled('yellow', `The ${what} does not answer. What runs goes on; its end is told later.`);
    case 'back':
      return `The ${what} answers again.`;
    case 'stopped':
      return styled('yellow', `Stopped: ${asSentence(notice.why)}`);
    case 'refused':
      return styled('yellow', `The ${what} refuses: ${cleanLine(notice.why).slice(0, 300)}`);
    case 'unrecorded': {
      const lost = notice.of === 'output' ? 'what it prints from here on' : notice.of;
      return styled(
        'yellow',
        `Not on the record of run ${notice.run.slice(-8)}: ${lost}. ${cleanLine(notice.why).slice(0, 300)}`,
      );
    }
    case 'started': {
      const { id, sent_by, content } = notice.started.command;
      return `${styled('cyan', '▶')} command ${id.slice(-8)} from ${cleanLine(sent_by)}: ${cleanLine(content).slice(0, 200)}`;
    }
    case 'resumed':
      return `${styled('cyan', '▶')} goes on with command ${notice.started.command.id.slice(-8)}`;
    case 'given':
    case 'delivered':
      return undefined;
    case 'asked':
      return styled('yellow', `? ${cleanLine(notice.question.title).slice(0, 300)}  (cairn approvals)`);
    case 'limited':
      return styled(
        'yellow',
        `Paused until ${notice.until.toLocaleString()}: ${cleanLine(notice.reason).slice(0, 200)}`,
      );
    case 'left': {
      const { path, branch } = notice.left;
      return `Its work stays in ${cleanLine(path)}, branch ${branch}`;
    }
    default: {
      const { status, error } = notice.ended;
      const mark = status === 'completed' ? styled('green', '✓') : styled('red', '✗');
      return `${mark} ${status}${error === undefined ? '' : `: ${cleanLine(error).slice(0, 300)}`}`;
    }
  }
}
