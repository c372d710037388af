import { afterAll, beforeAll, expect, test } from 'vitest';
import { openPersonWorld, type PersonWorld } from '../support/person-world.ts';

let world: PersonWorld;

/** An agent gives a task up as often as its project allows; answers with the alert. */
async function giveUp(title: string): Promise<{ id: string; title: string }> {
  const { agent, json } = world;
  const { data: made } = await agent.call('create_tasks', { project: 'web', tasks: [{ title }] });
  const [{ ref }] = (made as { tasks: [{ ref: string }] }).tasks;
  const { data: claimed } = await agent.call('claim_task', { task: ref });
  const { lock_token } = (claimed as { task: { lock_token: number } }).task;
  await agent.call('release_task', { task: ref, lock_token, outcome: 'failed', reason: 'No way.' });
  return (await json('alerts')).alerts[0];
}

beforeAll(async () => {
  world = await openPersonWorld();
  await world.agent.call('update_project', { project: 'web', rules: { attempts_max: 1 }, expected_version: 1 });
});

afterAll(() => world?.close());

test('without an alert there is nothing to see', async () => {
  expect(await world.run(['alerts'])).toMatchObject({ code: 0, stdout: 'No alerts.\n' });
  expect((await world.run(['status'])).stdout).not.toContain('Alerts');
});

test('an alert is listed, shown in the status, and acknowledged by the end of its id', async () => {
  const { id, title } = await giveUp('Pay');
  const short = id.slice(-8);
  expect((await world.run(['alerts'])).stdout).toMatch(new RegExp(`^ALERT .*\n${short} +high +.*given up`));
  expect((await world.run(['status'])).stdout).toContain(`Alerts\nALERT`);
  expect((await world.json('status')).alerts).toMatchObject([{ id }]);

  expect((await world.run(['alerts'])).stdout).toMatch(/task web-\d+, reason No way\./);

  const said = await world.run(['alerts', 'ack', short, '-m', 'I look at it.']);

  expect(said.stdout).toBe(`The alert "${title}" is acknowledged.\n`);
  expect((await world.run(['alerts', 'list'])).stdout).toBe('No alerts.\n');
  expect((await world.run(['alerts', 'list', '--all'])).stdout).toContain('acknowledged by ');
});

test('the alerts of one project alone are listed, and of none that there is not', async () => {
  await world.run(['project', 'create', 'shop']);
  await giveUp('Sell');

  expect((await world.json('alerts', '--project', 'web')).alerts).toMatchObject([{ project: 'web' }]);
  expect((await world.json('alerts', '--project', 'shop')).alerts).toEqual([]);
  const { code, stderr } = await world.run(['alerts', '--project', 'nope']);
  expect([code, stderr]).toEqual([1, expect.stringContaining('nope')]);
  const [{ id }] = (await world.json('alerts')).alerts;
  await world.run(['alerts', 'resolve', id]);
});

test('a task that is given up, and let go on, tells of its alert', async () => {
  const [{ ref }] = (await world.json('add', 'Sail')).tasks;
  await world.run(['claim', ref]);

  const given = await world.run(['release', ref, '--failed', '--reason', 'No wind.']);

  expect(given.stdout).toContain('In consequence: an alert was raised (cairn alerts).');
  const { stdout } = await world.run(['unblock', ref]);
  expect(stdout).toContain('In consequence: an alert was resolved (cairn alerts).');
});

test('an id that is none names the argument and where ids are', async () => {
  const refused = await world.agent.call('acknowledge_alert', { alert: '90c29f51' });

  expect(refused.text).toContain('invalid_input: alert must be a whole id: list_alerts shows the ids.');
});

test('a word that is no command is answered with where they are listed', async () => {
  for (const group of ['alerts', 'jobs']) {
    const { code, stderr } = await world.run([group, 'bogus']);
    expect([code, stderr]).toEqual([2, expect.stringContaining(`There is no command ${group} bogus.`)]);
  }
  expect((await world.run(['jobs', 'pauze'])).stderr).toContain('Did you mean pause?');
  expect((await world.run(['jobs', 'list', 'all'])).stderr).toContain('cairn jobs list takes no all.');
});

test('one is snoozed, and another resolved', async () => {
  const [first, second] = [await giveUp('Ship'), await giveUp('Fly')];

  expect((await world.run(['alerts', 'snooze', first.id, '--for', '8h'])).stdout).toMatch(
    / is snoozed until \d{4}-\S+Z\.\n/,
  );
  expect((await world.run(['alerts', 'resolve', second.id])).stdout).toContain('is resolved.');

  expect((await world.json('alerts')).alerts).toEqual([]);
  const { stdout } = await world.run(['alerts', 'list', '--all']);
  expect(stdout).toContain('snoozed, in 7h');
  expect(stdout).toContain('resolved by ');
});

test('one that there is not, or whose id is cut too short, is not found', async () => {
  for (const given of ['deadbeef', 'a']) {
    expect(await world.run(['alerts', 'ack', given])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('`cairn alerts list --all` shows the ids.'),
    });
  }
});

test('a whole id is asked of the database, however many alerts there are', async () => {
  const { code, stderr } = await world.run(['alerts', 'ack', '018f0000-0000-7000-8000-000000000001']);

  expect([code, stderr]).toEqual([1, expect.stringContaining('There is no alert 018f0000')]);
  expect(stderr).toContain('in this workspace');
});
