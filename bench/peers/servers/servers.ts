import { backlog } from './backlog.ts';
import { cairn } from './cairn.ts';
import { dex } from './dex.ts';
import { memory } from './memory.ts';
import { memoryBank } from './memory-bank.ts';
import { ohno } from './ohno.ts';
import type { Server } from './server.ts';
import { shrimp } from './shrimp.ts';
import { taskMaster } from './task-master.ts';

export const SERVERS: readonly Server[] = [cairn, taskMaster, backlog, memory, memoryBank, shrimp, dex, ohno];
