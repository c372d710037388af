// The program of a holder, which a runner starts: what it is to hold comes as a line on its standard input. Its argument
// is the file that its standard error is.
import process from 'node:process';
import { createInterface } from 'node:readline';
import { onStopSignal } from '../../stop-signals.ts';
import { keepShort } from './error-file.ts';
import { Holder } from './holder.ts';
import { Start } from './messages.ts';
import { removeFolder } from './socket-folder.ts';

const lines = createInterface({ input: process.stdin });
const { value } = await lines[Symbol.asyncIterator]().next();
lines.close();
const start = Start.parse(JSON.parse(value));
const [, , errors] = process.argv;
if (errors !== undefined) keepShort(errors);
const holder = new Holder(start);
onStopSignal(() => void holder.end());
await holder.listen();
process.stdout.write('ready\n');
await holder.ended;
await removeFolder(start.path);
process.exit();
