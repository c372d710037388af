/** The prefix of each kind of secret: scanners recognise it, the log redacts it. */
export const PREFIXES = Object.freeze({
  access: 'cairn_at_',
  refresh: 'cairn_rt_',
  code: 'cairn_ac_',
  pat: 'cairn_pat_',
  client: 'cairn_cs_',
  session: 'cairn_se_',
  txn: 'cairn_tx_',
  browser: 'cairn_br_',
  request: 'cairn_rq_',
  login: 'cairn_lc_',
  invitation: 'cairn_in_',
} as const);
