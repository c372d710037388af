#!/usr/bin/env node
import { useCompileCache } from './compile-cache.ts';

// Before all other imports: they come from the cache.
useCompileCache();
const { main } = await import('./cli/main.ts');
await main();
