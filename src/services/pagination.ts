import * as z from 'zod';
import { word } from '../text.ts';

/** The input fields of a list that is read page by page. */
export function page(sizeDefault: number, sizeMax: number) {
  return {
    cursor: word(1_000).optional(),
    page_size: z.int().min(1).max(sizeMax).default(sizeDefault),
  };
}
