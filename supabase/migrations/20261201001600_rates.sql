-- Rates: the tries of a sign-in become the first buckets of them.
alter table app.auth_attempts rename to rates;
alter table app.rates rename constraint auth_attempts_pkey to rates_pkey;
