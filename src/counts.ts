/** Counts by key. A key whose count is zero takes no memory. */
export function createCounts() {
  const counts = new Map<string, number>();
  const of = (key: string) => counts.get(key) ?? 0;
  return {
    of,
    add(keys: readonly string[], by: number): void {
      for (const key of keys) {
        const left = of(key) + by;
        if (left === 0) counts.delete(key);
        else counts.set(key, left);
      }
    },
  };
}
