const PAGE_SIZE_MAX = 100;

/** Tells whether a list is of all there is: nothing was asked for. */
export function isOfAll(asked: object): boolean {
  return Object.values(asked).every((given) => given === undefined);
}

type Page = { next_cursor?: string | undefined };
type Asked = { page_size: number; cursor: string | undefined };

/** Reads pages until there are as many items as requested; `last` is the final page, `more` whether others follow. */
export async function readPages<Found extends Page, Item>(
  limit: number,
  read: (asked: Asked) => Promise<Found>,
  itemsOf: (page: Found) => Item[],
): Promise<{ items: Item[]; last: Found; more: boolean }> {
  const items: Item[] = [];
  let cursor: string | undefined;
  for (;;) {
    const last = await read({ page_size: Math.min(limit - items.length, PAGE_SIZE_MAX), cursor });
    items.push(...itemsOf(last));
    cursor = last.next_cursor;
    const more = cursor !== undefined;
    if (!more || items.length >= limit) return { items, last, more };
  }
}
