import * as z from 'zod';

/** What a run left in a worktree of its own. */
export const Left = z.object({
  repository: z.string(),
  path: z.string(),
  branch: z.string(),
  base: z.string(),
  head: z.string().exactOptional(),
  /** Files that differ from the base, committed or not; as many of their names as fit. */
  file_count: z.int().exactOptional(),
  files: z.array(z.string()).exactOptional(),
  /** The worktree is still there. */
  kept: z.boolean(),
  error: z.string().exactOptional(),
});
export type Left = z.infer<typeof Left>;
