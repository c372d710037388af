import type { Facts } from '../support/categories.ts';

export const facts: Facts = {
  functions: {},
  naming: () => [],
  // The door makes it, as what follows from another event.
  changes: () => [],
  tampering: 'delete from public.messages where tenant_id = $1',
  unsearched: 'It is for programs.',
  untriggering: 'It is what a rule made.',
  plain: 'No caller gets one as an answer.',
};
