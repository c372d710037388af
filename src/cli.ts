#!/usr/bin/env node
import { useCompileCache } from './compile-cache.ts';

// Before all else is imported: what comes later is taken from the cache.
useCompileCache();
const { main } = await import('./cli/main.ts');
await main();
