import * as z from 'zod';
import { sqlFunction } from '../db/sql-function.ts';

const Dollars = z.number().min(0).max(100_000);

/** Dollars for a million tokens of a model, its versions and previews. */
const Price = z.object({
  model: z.string(),
  price_in: z.number(),
  price_out: z.number(),
  price_cached: z.number(),
  price_cache_written: z.number(),
  updated_at: z.string(),
  updated_by: z.string(),
});

export const ListModelPrices = z.strictObject({});

export const listModelPrices = sqlFunction('list_model_prices', z.object({ prices: z.array(Price) }));

export const SetModelPrice = z.strictObject({
  model: z.string().regex(/^[A-Za-z0-9][\w.:/-]{0,119}$/, 'must be the name of a model'),
  /** Without both it is removed. */
  price_in: Dollars.optional(),
  price_out: Dollars.optional(),
  /** Without them as those in. */
  price_cached: Dollars.optional(),
  price_cache_written: Dollars.optional(),
});

/** What was used before keeps what it cost. For the user who runs the server. */
export const setModelPrice = sqlFunction('set_model_price', Price.extend({ removed: z.literal(true).optional() }));
