-- What the migrations make. Written by the test of schema-dump.ts: ACCEPT_SCHEMA=1 npm test

create table "analytics"."data_keys" ( -- owner: analytics_owner
  space_id uuid not null,
  key_version integer not null,
  wrapped bytea not null,
  created_at timestamp with time zone not null default now(),
  constraint data_keys_pkey PRIMARY KEY (space_id)
);
alter table "analytics"."data_keys" enable row level security;
alter table "analytics"."data_keys" force row level security;
create policy data_keys_spaces on "analytics"."data_keys" using ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest)))) with check ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest))));

create table "analytics"."dead_letters" ( -- owner: analytics_owner
  id uuid not null default gen_random_uuid(),
  envelope text not null,
  reason text not null,
  created_at timestamp with time zone not null default now(),
  constraint dead_letters_pkey PRIMARY KEY (id)
);

create table "analytics"."documents" ( -- owner: analytics_owner
  document_id uuid not null,
  space_id uuid not null,
  bytes_size bigint,
  chunks bigint,
  ingested_at timestamp with time zone,
  event_id uuid,
  deleted_at timestamp with time zone,
  group_id uuid,
  hidden_at timestamp with time zone,
  shown_at timestamp with time zone,
  is_hidden boolean not null generated always as (((hidden_at IS NOT NULL) AND ((shown_at IS NULL) OR (shown_at < hidden_at)))) stored,
  constraint documents_pkey PRIMARY KEY (document_id)
);
CREATE INDEX documents_of_group ON analytics.documents USING btree (group_id) WHERE ((group_id IS NOT NULL) AND (deleted_at IS NULL));
CREATE INDEX documents_of_space ON analytics.documents USING btree (space_id) WHERE (deleted_at IS NULL);
alter table "analytics"."documents" enable row level security;
alter table "analytics"."documents" force row level security;
create policy documents_groups on "analytics"."documents" using ((group_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest)));
create policy documents_spaces on "analytics"."documents" using ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest)))) with check ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest))));

create table "analytics"."idempotency" ( -- owner: analytics_owner
  user_id uuid not null,
  subject text not null,
  key text not null,
  request_hash bytea not null,
  response jsonb,
  created_at timestamp with time zone not null default now(),
  constraint idempotency_pkey PRIMARY KEY (user_id, subject, key)
);
CREATE INDEX idempotency_created_at ON analytics.idempotency USING btree (created_at);

create table "analytics"."inbox" ( -- owner: analytics_owner
  event_id uuid not null,
  received_at timestamp with time zone not null default now(),
  constraint inbox_pkey PRIMARY KEY (event_id)
);
CREATE INDEX inbox_received_at ON analytics.inbox USING btree (received_at);

create table "analytics"."ingestion_runs" ( -- owner: analytics_owner
  run_id uuid not null,
  space_id uuid not null,
  status text not null,
  files bigint not null,
  chunks bigint not null,
  total_bytes bigint not null,
  duration_ms bigint not null,
  finished_at timestamp with time zone not null,
  event_id uuid not null,
  group_id uuid,
  constraint ingestion_runs_pkey PRIMARY KEY (run_id)
);
CREATE INDEX ingestion_runs_of_group ON analytics.ingestion_runs USING btree (group_id, finished_at) WHERE (group_id IS NOT NULL);
CREATE INDEX ingestion_runs_of_space ON analytics.ingestion_runs USING btree (space_id, finished_at);
alter table "analytics"."ingestion_runs" enable row level security;
alter table "analytics"."ingestion_runs" force row level security;
create policy ingestion_runs_groups on "analytics"."ingestion_runs" using ((group_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest)));
create policy ingestion_runs_spaces on "analytics"."ingestion_runs" using ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest)))) with check ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest))));

create table "analytics"."jobs" ( -- owner: analytics_owner
  id uuid not null,
  kind text not null,
  user_id uuid not null,
  space_id uuid not null,
  payload jsonb not null,
  status text not null default 'pending'::text,
  progress_current integer not null default 0,
  progress_total integer not null default 0,
  stage text,
  error text,
  attempt integer not null default 0,
  max_attempts integer not null,
  queue_key text,
  run_after timestamp with time zone not null default now(),
  lease_owner uuid,
  lease_until timestamp with time zone,
  cancel_requested_at timestamp with time zone,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  finished_at timestamp with time zone,
  turn bigint not null default 0,
  constraint jobs_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'running'::text, 'success'::text, 'partial'::text, 'failed'::text, 'cancelled'::text]))),
  constraint jobs_pkey PRIMARY KEY (id)
);
CREATE INDEX jobs_leased ON analytics.jobs USING btree (lease_owner) WHERE (status = 'running'::text);
CREATE INDEX jobs_of_user ON analytics.jobs USING btree (user_id, created_at DESC, id DESC);
CREATE UNIQUE INDEX jobs_one_running_per_queue ON analytics.jobs USING btree (kind, queue_key) WHERE (status = 'running'::text);
CREATE INDEX jobs_open ON analytics.jobs USING btree (kind, turn, created_at, id) WHERE (status = ANY (ARRAY['pending'::text, 'running'::text]));
CREATE INDEX jobs_open_of_user ON analytics.jobs USING btree (kind, user_id, turn) WHERE (status = ANY (ARRAY['pending'::text, 'running'::text]));
CREATE INDEX jobs_queue ON analytics.jobs USING btree (kind, queue_key, created_at, id) WHERE ((queue_key IS NOT NULL) AND (status = ANY (ARRAY['pending'::text, 'running'::text])));
CREATE INDEX jobs_waiting ON analytics.jobs USING btree (kind, turn) WHERE (status = 'pending'::text);

create table "analytics"."messages" ( -- owner: analytics_owner
  message_id uuid not null,
  space_id uuid not null,
  session_id uuid not null,
  role text not null,
  model text,
  tokens_in bigint not null,
  tokens_out bigint not null,
  created_at timestamp with time zone not null,
  constraint messages_pkey PRIMARY KEY (message_id)
);
CREATE INDEX messages_of_session ON analytics.messages USING btree (session_id);
CREATE INDEX messages_of_space ON analytics.messages USING btree (space_id, created_at);
alter table "analytics"."messages" enable row level security;
alter table "analytics"."messages" force row level security;
create policy messages_spaces on "analytics"."messages" using ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest)))) with check ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest))));

create table "analytics"."migrations" ( -- owner: analytics_owner
  name character varying(255) not null,
  "timestamp" character varying(255) not null,
  constraint migrations_pkey PRIMARY KEY (name)
);

create table "analytics"."migrations_lock" ( -- owner: analytics_owner
  id character varying(255) not null,
  is_locked integer not null default 0,
  constraint migrations_lock_pkey PRIMARY KEY (id)
);

create table "analytics"."outbox" ( -- owner: analytics_owner
  "position" bigint not null generated always as identity,
  id uuid not null,
  subject text not null,
  data jsonb not null,
  correlation_id text,
  traceparent text,
  created_at timestamp with time zone not null default now(),
  published_at timestamp with time zone,
  stream_created text,
  stream_seq bigint,
  constraint outbox_pkey PRIMARY KEY ("position"),
  constraint outbox_id_key UNIQUE (id)
);
CREATE INDEX outbox_published_at ON analytics.outbox USING btree (published_at);
CREATE INDEX outbox_stream ON analytics.outbox USING btree (stream_created, stream_seq);
CREATE INDEX outbox_unpublished ON analytics.outbox USING btree ("position") WHERE (published_at IS NULL);

create table "analytics"."sessions" ( -- owner: analytics_owner
  session_id uuid not null,
  space_id uuid not null,
  model text,
  enable_tools boolean,
  created_at timestamp with time zone,
  deleted_at timestamp with time zone,
  hidden_at timestamp with time zone,
  shown_at timestamp with time zone,
  is_hidden boolean not null generated always as (((hidden_at IS NOT NULL) AND ((shown_at IS NULL) OR (shown_at < hidden_at)))) stored,
  constraint sessions_pkey PRIMARY KEY (session_id)
);
CREATE INDEX sessions_of_space ON analytics.sessions USING btree (space_id, created_at);
alter table "analytics"."sessions" enable row level security;
alter table "analytics"."sessions" force row level security;
create policy sessions_spaces on "analytics"."sessions" using ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest)))) with check ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest))));

create table "analytics"."tool_runs" ( -- owner: analytics_owner
  tool_run_id uuid not null,
  space_id uuid not null,
  tool_name text not null,
  status text not null,
  latency_ms bigint not null,
  finished_at timestamp with time zone not null,
  session_id uuid,
  constraint tool_runs_pkey PRIMARY KEY (tool_run_id)
);
CREATE INDEX tool_runs_of_session ON analytics.tool_runs USING btree (session_id);
CREATE INDEX tool_runs_of_space ON analytics.tool_runs USING btree (space_id, finished_at);
alter table "analytics"."tool_runs" enable row level security;
alter table "analytics"."tool_runs" force row level security;
create policy tool_runs_spaces on "analytics"."tool_runs" using ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest)))) with check ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest))));

create table "auth"."api_keys" ( -- owner: auth_owner
  id uuid not null,
  user_id uuid not null,
  key_hash bytea not null,
  from_setting boolean not null default false,
  created_at timestamp with time zone not null default now(),
  revoked_at timestamp with time zone,
  name text not null default 'Account key'::text,
  scopes text[],
  expires_at timestamp with time zone,
  last_used_at timestamp with time zone,
  of_account boolean not null default false,
  replaces uuid,
  constraint api_keys_key_hash_check CHECK ((octet_length(key_hash) = 32)),
  constraint api_keys_replaces_fkey FOREIGN KEY (replaces) REFERENCES auth.api_keys(id) ON DELETE SET NULL,
  constraint api_keys_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE,
  constraint api_keys_pkey PRIMARY KEY (id)
);
CREATE INDEX api_keys_expiry ON auth.api_keys USING btree (expires_at) WHERE (revoked_at IS NULL);
CREATE INDEX api_keys_hash ON auth.api_keys USING btree (key_hash);
CREATE UNIQUE INDEX api_keys_live ON auth.api_keys USING btree (key_hash) WHERE (revoked_at IS NULL);
CREATE UNIQUE INDEX api_keys_one_from_setting ON auth.api_keys USING btree (user_id) WHERE (from_setting AND (revoked_at IS NULL));
CREATE INDEX api_keys_replaces ON auth.api_keys USING btree (replaces) WHERE (replaces IS NOT NULL);
CREATE INDEX api_keys_revoked ON auth.api_keys USING btree (revoked_at) WHERE (revoked_at IS NOT NULL);
CREATE INDEX api_keys_user ON auth.api_keys USING btree (user_id);

create table "auth"."audit_entries" ( -- owner: auth_owner
  seq bigint not null,
  id uuid not null,
  occurred_at timestamp with time zone not null,
  source text not null,
  actor_id uuid,
  action text not null,
  outcome text not null,
  target_type text not null,
  target_id text,
  correlation_id text not null,
  prev_hash bytea not null,
  hash bytea not null,
  recorded_at timestamp with time zone,
  claimed_at timestamp with time zone,
  key_version integer,
  address text,
  user_agent text,
  constraint audit_entries_key_version_check CHECK ((key_version > 0)),
  constraint audit_entries_outcome_check CHECK ((outcome = ANY (ARRAY['allowed'::text, 'denied'::text]))),
  constraint audit_entries_pkey PRIMARY KEY (seq)
);
CREATE INDEX audit_entries_action ON auth.audit_entries USING btree (action, seq);
CREATE INDEX audit_entries_actor ON auth.audit_entries USING btree (actor_id, seq);
CREATE INDEX audit_entries_denied ON auth.audit_entries USING btree (seq) WHERE (outcome = 'denied'::text);
CREATE UNIQUE INDEX audit_entries_event ON auth.audit_entries USING btree (id, source);
CREATE INDEX audit_entries_target ON auth.audit_entries USING btree (target_id, seq);
CREATE INDEX audit_entries_time ON auth.audit_entries USING btree (occurred_at, seq);

create table "auth"."audit_head" ( -- owner: auth_owner
  singleton boolean not null default true,
  seq bigint not null,
  hash bytea not null,
  key_version integer,
  constraint audit_head_singleton_check CHECK (singleton),
  constraint audit_head_pkey PRIMARY KEY (singleton)
);

create table "auth"."data_keys" ( -- owner: auth_owner
  space_id uuid not null,
  key_version integer not null,
  wrapped bytea not null,
  created_at timestamp with time zone not null default now(),
  constraint data_keys_pkey PRIMARY KEY (space_id)
);
alter table "auth"."data_keys" enable row level security;
alter table "auth"."data_keys" force row level security;
create policy data_keys_spaces on "auth"."data_keys" using ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest)))) with check ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest))));

create table "auth"."dead_letters" ( -- owner: auth_owner
  id uuid not null default gen_random_uuid(),
  envelope text not null,
  reason text not null,
  created_at timestamp with time zone not null default now(),
  constraint dead_letters_pkey PRIMARY KEY (id)
);

create table "auth"."deleted_users" ( -- owner: auth_owner
  user_id uuid not null,
  created_at timestamp with time zone not null,
  deleted_at timestamp with time zone not null default now(),
  round integer not null default 1,
  waiting_for text[] not null,
  due_at timestamp with time zone not null,
  erased_at timestamp with time zone,
  constraint deleted_users_pkey PRIMARY KEY (user_id)
);
CREATE INDEX deleted_users_due ON auth.deleted_users USING btree (due_at) WHERE (erased_at IS NULL);

create table "auth"."grants" ( -- owner: auth_owner
  id uuid not null,
  user_id uuid not null,
  sid uuid not null,
  run_id uuid not null,
  created_at timestamp with time zone not null default now(),
  expires_at timestamp with time zone not null,
  started_at timestamp with time zone,
  constraint grants_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE,
  constraint grants_pkey PRIMARY KEY (id),
  constraint grants_user_id_run_id_key UNIQUE (user_id, run_id)
);
CREATE INDEX grants_expires ON auth.grants USING btree (expires_at);
CREATE INDEX grants_not_started ON auth.grants USING btree (created_at) WHERE (started_at IS NULL);

create table "auth"."idempotency" ( -- owner: auth_owner
  user_id uuid not null,
  subject text not null,
  key text not null,
  request_hash bytea not null,
  response jsonb,
  created_at timestamp with time zone not null default now(),
  constraint idempotency_pkey PRIMARY KEY (user_id, subject, key)
);
CREATE INDEX idempotency_created_at ON auth.idempotency USING btree (created_at);

create table "auth"."inbox" ( -- owner: auth_owner
  event_id uuid not null,
  received_at timestamp with time zone not null default now(),
  constraint inbox_pkey PRIMARY KEY (event_id)
);
CREATE INDEX inbox_received_at ON auth.inbox USING btree (received_at);

create table "auth"."jobs" ( -- owner: auth_owner
  id uuid not null,
  kind text not null,
  user_id uuid not null,
  space_id uuid not null,
  payload jsonb not null,
  status text not null default 'pending'::text,
  progress_current integer not null default 0,
  progress_total integer not null default 0,
  stage text,
  error text,
  attempt integer not null default 0,
  max_attempts integer not null,
  queue_key text,
  run_after timestamp with time zone not null default now(),
  lease_owner uuid,
  lease_until timestamp with time zone,
  cancel_requested_at timestamp with time zone,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  finished_at timestamp with time zone,
  turn bigint not null default 0,
  constraint jobs_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'running'::text, 'success'::text, 'partial'::text, 'failed'::text, 'cancelled'::text]))),
  constraint jobs_pkey PRIMARY KEY (id)
);
CREATE INDEX jobs_leased ON auth.jobs USING btree (lease_owner) WHERE (status = 'running'::text);
CREATE INDEX jobs_of_user ON auth.jobs USING btree (user_id, created_at DESC, id DESC);
CREATE UNIQUE INDEX jobs_one_running_per_queue ON auth.jobs USING btree (kind, queue_key) WHERE (status = 'running'::text);
CREATE INDEX jobs_open ON auth.jobs USING btree (kind, turn, created_at, id) WHERE (status = ANY (ARRAY['pending'::text, 'running'::text]));
CREATE INDEX jobs_open_of_user ON auth.jobs USING btree (kind, user_id, turn) WHERE (status = ANY (ARRAY['pending'::text, 'running'::text]));
CREATE INDEX jobs_queue ON auth.jobs USING btree (kind, queue_key, created_at, id) WHERE ((queue_key IS NOT NULL) AND (status = ANY (ARRAY['pending'::text, 'running'::text])));
CREATE INDEX jobs_waiting ON auth.jobs USING btree (kind, turn) WHERE (status = 'pending'::text);

create table "auth"."known_clients" ( -- owner: auth_owner
  user_id uuid not null,
  kind text not null,
  hash bytea not null,
  last_used_at timestamp with time zone not null default now(),
  has_returned boolean not null default false,
  constraint known_clients_hash_check CHECK ((octet_length(hash) = 32)),
  constraint known_clients_kind_check CHECK ((kind = ANY (ARRAY['device'::text, 'address'::text]))),
  constraint known_clients_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE,
  constraint known_clients_pkey PRIMARY KEY (user_id, kind, hash)
);
CREATE INDEX known_clients_last_used ON auth.known_clients USING btree (last_used_at);

create table "auth"."migrations" ( -- owner: auth_owner
  name character varying(255) not null,
  "timestamp" character varying(255) not null,
  constraint migrations_pkey PRIMARY KEY (name)
);

create table "auth"."migrations_lock" ( -- owner: auth_owner
  id character varying(255) not null,
  is_locked integer not null default 0,
  constraint migrations_lock_pkey PRIMARY KEY (id)
);

create table "auth"."outbox" ( -- owner: auth_owner
  "position" bigint not null generated always as identity,
  id uuid not null,
  subject text not null,
  data jsonb not null,
  correlation_id text,
  traceparent text,
  created_at timestamp with time zone not null default now(),
  published_at timestamp with time zone,
  stream_created text,
  stream_seq bigint,
  constraint outbox_pkey PRIMARY KEY ("position"),
  constraint outbox_id_key UNIQUE (id)
);
CREATE INDEX outbox_published_at ON auth.outbox USING btree (published_at);
CREATE INDEX outbox_stream ON auth.outbox USING btree (stream_created, stream_seq);
CREATE INDEX outbox_unpublished ON auth.outbox USING btree ("position") WHERE (published_at IS NULL);

create table "auth"."revocations" ( -- owner: auth_owner
  id uuid not null,
  sid uuid,
  sub uuid,
  revoked_at timestamp with time zone not null,
  constraint revocations_check CHECK ((num_nonnulls(sid, sub) >= 1)),
  constraint revocations_pkey PRIMARY KEY (id)
);
CREATE INDEX revocations_time ON auth.revocations USING btree (revoked_at);

create table "auth"."sessions" ( -- owner: auth_owner
  id uuid not null,
  user_id uuid not null,
  secret_hash bytea not null,
  api_key_id uuid,
  created_at timestamp with time zone not null default now(),
  last_used_at timestamp with time zone not null default now(),
  constraint sessions_secret_hash_check CHECK ((octet_length(secret_hash) = 32)),
  constraint sessions_api_key_id_fkey FOREIGN KEY (api_key_id) REFERENCES auth.api_keys(id) ON DELETE CASCADE,
  constraint sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE,
  constraint sessions_pkey PRIMARY KEY (id),
  constraint sessions_secret_hash_key UNIQUE (secret_hash)
);
CREATE INDEX sessions_created ON auth.sessions USING btree (created_at);
CREATE INDEX sessions_key ON auth.sessions USING btree (api_key_id);
CREATE INDEX sessions_last_used ON auth.sessions USING btree (last_used_at);
CREATE INDEX sessions_user ON auth.sessions USING btree (user_id);

create table "auth"."sign_in_failures" ( -- owner: auth_owner
  bucket bytea not null,
  window_start timestamp with time zone not null default now(),
  failures integer not null,
  last_failed_at timestamp with time zone not null default now(),
  blocked_until timestamp with time zone,
  constraint sign_in_failures_pkey PRIMARY KEY (bucket)
);

create table "auth"."users" ( -- owner: auth_owner
  id uuid not null,
  username text not null,
  username_key text not null,
  is_root boolean not null default false,
  password_hash text,
  created_at timestamp with time zone not null default now(),
  email text,
  suspended_at timestamp with time zone,
  constraint users_pkey PRIMARY KEY (id),
  constraint users_username_key_key UNIQUE (username_key)
);
CREATE INDEX users_newest ON auth.users USING btree (created_at DESC, id DESC);

create table "chat_agent"."branches" ( -- owner: chat_agent_owner
  session_id uuid not null,
  number integer not null,
  space_id uuid not null,
  id uuid not null,
  from_branch integer not null,
  before_turn integer not null,
  before_position bigint not null,
  created_at timestamp with time zone not null default now(),
  constraint branches_check CHECK ((number > from_branch)),
  constraint branches_from_branch_check CHECK ((from_branch >= 0)),
  constraint branches_session_id_fkey FOREIGN KEY (session_id) REFERENCES chat_agent.sessions(id) ON DELETE CASCADE,
  constraint branches_pkey PRIMARY KEY (session_id, number)
);
alter table "chat_agent"."branches" enable row level security;
alter table "chat_agent"."branches" force row level security;
create policy branches_spaces on "chat_agent"."branches" using ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest)))) with check ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest))));

create table "chat_agent"."cached_answers" ( -- owner: chat_agent_owner
  space_id uuid not null,
  key bytea not null,
  run_id uuid not null,
  body bytea not null,
  knowledge integer[] not null,
  made_at timestamp with time zone not null,
  expires_at timestamp with time zone not null,
  constraint cached_answers_run_id_fkey FOREIGN KEY (run_id) REFERENCES chat_agent.runs(id) ON DELETE CASCADE,
  constraint cached_answers_pkey PRIMARY KEY (space_id, key)
);
CREATE INDEX cached_answers_expires_at ON chat_agent.cached_answers USING btree (expires_at);
CREATE INDEX cached_answers_of_run ON chat_agent.cached_answers USING btree (run_id);
alter table "chat_agent"."cached_answers" enable row level security;
alter table "chat_agent"."cached_answers" force row level security;
create policy cached_answers_spaces on "chat_agent"."cached_answers" using ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest)))) with check ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest))));

create table "chat_agent"."data_keys" ( -- owner: chat_agent_owner
  space_id uuid not null,
  key_version integer not null,
  wrapped bytea not null,
  created_at timestamp with time zone not null default now(),
  constraint data_keys_pkey PRIMARY KEY (space_id)
);
alter table "chat_agent"."data_keys" enable row level security;
alter table "chat_agent"."data_keys" force row level security;
create policy data_keys_spaces on "chat_agent"."data_keys" using ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest)))) with check ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest))));

create table "chat_agent"."dead_letters" ( -- owner: chat_agent_owner
  id uuid not null default gen_random_uuid(),
  envelope text not null,
  reason text not null,
  created_at timestamp with time zone not null default now(),
  constraint dead_letters_pkey PRIMARY KEY (id)
);

create table "chat_agent"."erasure_receipts" ( -- owner: chat_agent_owner
  id uuid not null,
  space_id uuid not null,
  kind text not null,
  target_id uuid not null,
  reason text not null,
  removed jsonb not null,
  traces jsonb,
  deleted_at timestamp with time zone,
  erased_at timestamp with time zone not null default now(),
  verified_at timestamp with time zone,
  constraint erasure_receipts_pkey PRIMARY KEY (id)
);
CREATE INDEX erasure_receipts_list ON chat_agent.erasure_receipts USING btree (space_id, erased_at, id);
CREATE INDEX erasure_receipts_target ON chat_agent.erasure_receipts USING btree (space_id, target_id);
CREATE INDEX erasure_receipts_unverified ON chat_agent.erasure_receipts USING btree (erased_at) WHERE (verified_at IS NULL);
alter table "chat_agent"."erasure_receipts" enable row level security;
alter table "chat_agent"."erasure_receipts" force row level security;
create policy erasure_receipts_spaces on "chat_agent"."erasure_receipts" using ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest)))) with check ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest))));

create table "chat_agent"."idempotency" ( -- owner: chat_agent_owner
  user_id uuid not null,
  subject text not null,
  key text not null,
  request_hash bytea not null,
  response jsonb,
  created_at timestamp with time zone not null default now(),
  constraint idempotency_pkey PRIMARY KEY (user_id, subject, key)
);
CREATE INDEX idempotency_created_at ON chat_agent.idempotency USING btree (created_at);

create table "chat_agent"."inbox" ( -- owner: chat_agent_owner
  event_id uuid not null,
  received_at timestamp with time zone not null default now(),
  constraint inbox_pkey PRIMARY KEY (event_id)
);
CREATE INDEX inbox_received_at ON chat_agent.inbox USING btree (received_at);

create table "chat_agent"."jobs" ( -- owner: chat_agent_owner
  id uuid not null,
  kind text not null,
  user_id uuid not null,
  space_id uuid not null,
  payload jsonb not null,
  status text not null default 'pending'::text,
  progress_current integer not null default 0,
  progress_total integer not null default 0,
  stage text,
  error text,
  attempt integer not null default 0,
  max_attempts integer not null,
  queue_key text,
  run_after timestamp with time zone not null default now(),
  lease_owner uuid,
  lease_until timestamp with time zone,
  cancel_requested_at timestamp with time zone,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  finished_at timestamp with time zone,
  turn bigint not null default 0,
  constraint jobs_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'running'::text, 'success'::text, 'partial'::text, 'failed'::text, 'cancelled'::text]))),
  constraint jobs_pkey PRIMARY KEY (id)
);
CREATE INDEX jobs_leased ON chat_agent.jobs USING btree (lease_owner) WHERE (status = 'running'::text);
CREATE INDEX jobs_of_user ON chat_agent.jobs USING btree (user_id, created_at DESC, id DESC);
CREATE UNIQUE INDEX jobs_one_running_per_queue ON chat_agent.jobs USING btree (kind, queue_key) WHERE (status = 'running'::text);
CREATE INDEX jobs_open ON chat_agent.jobs USING btree (kind, turn, created_at, id) WHERE (status = ANY (ARRAY['pending'::text, 'running'::text]));
CREATE INDEX jobs_open_of_user ON chat_agent.jobs USING btree (kind, user_id, turn) WHERE (status = ANY (ARRAY['pending'::text, 'running'::text]));
CREATE INDEX jobs_queue ON chat_agent.jobs USING btree (kind, queue_key, created_at, id) WHERE ((queue_key IS NOT NULL) AND (status = ANY (ARRAY['pending'::text, 'running'::text])));
CREATE INDEX jobs_waiting ON chat_agent.jobs USING btree (kind, turn) WHERE (status = 'pending'::text);

create table "chat_agent"."knowledge_changes" ( -- owner: chat_agent_owner
  bucket integer not null,
  fresh_from timestamp with time zone not null,
  constraint knowledge_changes_pkey PRIMARY KEY (bucket)
);

create table "chat_agent"."messages" ( -- owner: chat_agent_owner
  id uuid not null,
  space_id uuid not null,
  session_id uuid not null,
  run_id uuid not null,
  turn integer not null,
  "position" bigint not null generated always as identity,
  role text not null,
  content bytea not null,
  tokens_in integer not null default 0,
  tokens_out integer not null default 0,
  created_at timestamp with time zone not null default now(),
  branch integer not null default 0,
  constraint messages_session_id_fkey FOREIGN KEY (session_id) REFERENCES chat_agent.sessions(id) ON DELETE CASCADE,
  constraint messages_pkey PRIMARY KEY (id)
);
CREATE INDEX messages_of_session ON chat_agent.messages USING btree (session_id, turn, "position");
alter table "chat_agent"."messages" enable row level security;
alter table "chat_agent"."messages" force row level security;
create policy messages_spaces on "chat_agent"."messages" using ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest)))) with check ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest))));

create table "chat_agent"."migrations" ( -- owner: chat_agent_owner
  name character varying(255) not null,
  "timestamp" character varying(255) not null,
  constraint migrations_pkey PRIMARY KEY (name)
);

create table "chat_agent"."migrations_lock" ( -- owner: chat_agent_owner
  id character varying(255) not null,
  is_locked integer not null default 0,
  constraint migrations_lock_pkey PRIMARY KEY (id)
);

create table "chat_agent"."model_backends" ( -- owner: chat_agent_owner
  id uuid not null,
  name text not null,
  protocol text not null,
  base_url text not null,
  api_key bytea,
  source text not null,
  enabled boolean not null default true,
  concurrency integer,
  priority integer not null default 0,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  constraint model_backends_concurrency_check CHECK (((concurrency >= 1) AND (concurrency <= 10000))),
  constraint model_backends_protocol_check CHECK ((protocol = ANY (ARRAY['ollama'::text, 'openai'::text]))),
  constraint model_backends_source_check CHECK ((source = ANY (ARRAY['environment'::text, 'admin'::text]))),
  constraint model_backends_pkey PRIMARY KEY (id),
  constraint model_backends_name_key UNIQUE (name)
);

create table "chat_agent"."model_pulls" ( -- owner: chat_agent_owner
  id uuid not null,
  backend_id uuid not null,
  model text not null,
  status text not null default 'running'::text,
  stage text not null default ''::text,
  completed bigint not null default 0,
  total bigint not null default 0,
  error text,
  watched_until timestamp with time zone not null,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  constraint model_pulls_status_check CHECK ((status = ANY (ARRAY['running'::text, 'success'::text, 'failed'::text, 'cancelled'::text]))),
  constraint model_pulls_backend_id_fkey FOREIGN KEY (backend_id) REFERENCES chat_agent.model_backends(id) ON DELETE CASCADE,
  constraint model_pulls_pkey PRIMARY KEY (id)
);
CREATE INDEX model_pulls_backend_id ON chat_agent.model_pulls USING btree (backend_id);
CREATE UNIQUE INDEX model_pulls_running ON chat_agent.model_pulls USING btree (backend_id, model) WHERE (status = 'running'::text);

create table "chat_agent"."model_steps" ( -- owner: chat_agent_owner
  run_id uuid not null,
  iteration integer not null,
  space_id uuid not null,
  model text not null,
  latency_ms integer not null,
  tokens_in integer not null,
  tokens_out integer not null,
  text_end integer not null,
  estimated boolean not null default false,
  attempt integer,
  started_at timestamp with time zone,
  backend text,
  num_ctx integer,
  max_tokens integer,
  content bytea,
  finish_reason text,
  constraint model_steps_run_id_fkey FOREIGN KEY (run_id) REFERENCES chat_agent.runs(id) ON DELETE CASCADE,
  constraint model_steps_pkey PRIMARY KEY (run_id, iteration)
);
alter table "chat_agent"."model_steps" enable row level security;
alter table "chat_agent"."model_steps" force row level security;
create policy model_steps_spaces on "chat_agent"."model_steps" using ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest)))) with check ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest))));

create table "chat_agent"."outbox" ( -- owner: chat_agent_owner
  "position" bigint not null generated always as identity,
  id uuid not null,
  subject text not null,
  data jsonb not null,
  correlation_id text,
  traceparent text,
  created_at timestamp with time zone not null default now(),
  published_at timestamp with time zone,
  stream_created text,
  stream_seq bigint,
  constraint outbox_pkey PRIMARY KEY ("position"),
  constraint outbox_id_key UNIQUE (id)
);
CREATE INDEX outbox_published_at ON chat_agent.outbox USING btree (published_at);
CREATE INDEX outbox_stream ON chat_agent.outbox USING btree (stream_created, stream_seq);
CREATE INDEX outbox_unpublished ON chat_agent.outbox USING btree ("position") WHERE (published_at IS NULL);

create table "chat_agent"."run_entries" ( -- owner: chat_agent_owner
  run_id uuid not null,
  n bigint not null,
  attempt integer not null,
  space_id uuid not null,
  body bytea not null,
  constraint run_entries_run_id_fkey FOREIGN KEY (run_id) REFERENCES chat_agent.runs(id) ON DELETE CASCADE,
  constraint run_entries_pkey PRIMARY KEY (run_id, n)
);
alter table "chat_agent"."run_entries" enable row level security;
alter table "chat_agent"."run_entries" force row level security;
create policy run_entries_spaces on "chat_agent"."run_entries" using ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest)))) with check ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest))));

create table "chat_agent"."runs" ( -- owner: chat_agent_owner
  id uuid not null,
  space_id uuid not null,
  user_id uuid not null,
  sid uuid not null,
  session_id uuid not null,
  grant_id uuid not null,
  turn integer not null,
  status text not null default 'pending'::text,
  attempt integer not null default 0,
  model text,
  enable_tools boolean not null,
  disable_web boolean not null,
  max_iterations integer,
  tokens_in integer not null default 0,
  tokens_out integer not null default 0,
  ttft_ms integer,
  stop_reason text,
  error text,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  settings bytea,
  branch integer not null default 0,
  deleted_at timestamp with time zone,
  constraint runs_session_id_fkey FOREIGN KEY (session_id) REFERENCES chat_agent.sessions(id) ON DELETE CASCADE,
  constraint runs_pkey PRIMARY KEY (id),
  constraint runs_turn UNIQUE (session_id, turn)
);
CREATE INDEX runs_open ON chat_agent.runs USING btree (user_id) WHERE (status = ANY (ARRAY['pending'::text, 'running'::text]));
alter table "chat_agent"."runs" enable row level security;
alter table "chat_agent"."runs" force row level security;
create policy runs_not_deleted on "chat_agent"."runs" using (((deleted_at IS NULL) OR ( SELECT COALESCE(((current_setting('app.deleted'::text, true) = 'shown'::text) OR (current_setting('app.spaces'::text, true) = '*'::text)), false) AS "coalesce"))) with check (((deleted_at IS NULL) OR ( SELECT COALESCE(((current_setting('app.deleted'::text, true) = 'shown'::text) OR (current_setting('app.spaces'::text, true) = '*'::text)), false) AS "coalesce")));
create policy runs_spaces on "chat_agent"."runs" using ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest)))) with check ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest))));

create table "chat_agent"."sessions" ( -- owner: chat_agent_owner
  id uuid not null,
  space_id uuid not null,
  user_id uuid not null,
  external_id text not null,
  title bytea,
  model text,
  enable_tools boolean not null,
  tools_pinned boolean not null,
  message_count integer not null default 0,
  turn integer not null default 0,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  metadata bytea,
  when_busy text not null default 'queue'::text,
  instructions bytea,
  branch integer,
  branch_id uuid,
  title_by text,
  group_id uuid,
  deleted_at timestamp with time zone,
  deleted_by uuid,
  erase_after timestamp with time zone,
  constraint sessions_title_by_check CHECK ((title_by = ANY (ARRAY['user'::text, 'words'::text, 'model'::text]))),
  constraint sessions_when_busy_check CHECK ((when_busy = ANY (ARRAY['queue'::text, 'interrupt'::text, 'reject'::text]))),
  constraint sessions_pkey PRIMARY KEY (id)
);
CREATE INDEX sessions_deleted ON chat_agent.sessions USING btree (user_id, external_id) WHERE (deleted_at IS NOT NULL);
CREATE INDEX sessions_erase_after ON chat_agent.sessions USING btree (erase_after) WHERE (erase_after IS NOT NULL);
CREATE UNIQUE INDEX sessions_external_id ON chat_agent.sessions USING btree (user_id, external_id) WHERE (deleted_at IS NULL);
CREATE INDEX sessions_of_user ON chat_agent.sessions USING btree (user_id, created_at DESC, id DESC);
alter table "chat_agent"."sessions" enable row level security;
alter table "chat_agent"."sessions" force row level security;
create policy sessions_not_deleted on "chat_agent"."sessions" using (((deleted_at IS NULL) OR ( SELECT COALESCE(((current_setting('app.deleted'::text, true) = 'shown'::text) OR (current_setting('app.spaces'::text, true) = '*'::text)), false) AS "coalesce"))) with check (((deleted_at IS NULL) OR ( SELECT COALESCE(((current_setting('app.deleted'::text, true) = 'shown'::text) OR (current_setting('app.spaces'::text, true) = '*'::text)), false) AS "coalesce")));
create policy sessions_spaces on "chat_agent"."sessions" using ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest)))) with check ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest))));

create table "chat_agent"."tool_runs" ( -- owner: chat_agent_owner
  id uuid not null,
  space_id uuid not null,
  user_id uuid not null,
  session_id uuid not null,
  run_id uuid not null,
  iteration integer not null,
  index integer not null,
  tool_name text not null,
  status text not null default 'running'::text,
  idempotent boolean not null,
  args bytea not null,
  result bytea,
  preview bytea,
  error bytea,
  start_ts timestamp with time zone not null default now(),
  called_at timestamp with time zone,
  end_ts timestamp with time zone,
  latency_ms integer,
  is_away boolean not null default false,
  constraint tool_runs_run_id_fkey FOREIGN KEY (run_id) REFERENCES chat_agent.runs(id) ON DELETE CASCADE,
  constraint tool_runs_pkey PRIMARY KEY (id),
  constraint tool_runs_place UNIQUE (run_id, iteration, index)
);
CREATE INDEX tool_runs_of_session ON chat_agent.tool_runs USING btree (session_id);
CREATE INDEX tool_runs_of_user ON chat_agent.tool_runs USING btree (user_id, start_ts DESC, id DESC);
alter table "chat_agent"."tool_runs" enable row level security;
alter table "chat_agent"."tool_runs" force row level security;
create policy tool_runs_spaces on "chat_agent"."tool_runs" using ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest)))) with check ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest))));

create table "chat_agent"."unfinished_calls" ( -- owner: chat_agent_owner
  run_id uuid not null,
  n integer not null,
  space_id uuid not null,
  iteration integer not null,
  reason text not null,
  model text not null,
  latency_ms integer,
  tokens_in integer not null,
  tokens_out integer not null,
  estimated boolean not null,
  text_end integer not null,
  said bytea,
  created_at timestamp with time zone not null default now(),
  attempt integer,
  started_at timestamp with time zone,
  backend text,
  num_ctx integer,
  max_tokens integer,
  content bytea,
  error bytea,
  constraint unfinished_calls_run_id_fkey FOREIGN KEY (run_id) REFERENCES chat_agent.runs(id) ON DELETE CASCADE,
  constraint unfinished_calls_pkey PRIMARY KEY (run_id, n)
);
alter table "chat_agent"."unfinished_calls" enable row level security;
alter table "chat_agent"."unfinished_calls" force row level security;
create policy unfinished_calls_spaces on "chat_agent"."unfinished_calls" using ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest)))) with check ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest))));

create table "group"."data_keys" ( -- owner: group_owner
  space_id uuid not null,
  key_version integer not null,
  wrapped bytea not null,
  created_at timestamp with time zone not null default now(),
  constraint data_keys_pkey PRIMARY KEY (space_id)
);
alter table "group"."data_keys" enable row level security;
alter table "group"."data_keys" force row level security;
create policy data_keys_spaces on "group"."data_keys" using ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest)))) with check ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest))));

create table "group"."dead_letters" ( -- owner: group_owner
  id uuid not null default gen_random_uuid(),
  envelope text not null,
  reason text not null,
  created_at timestamp with time zone not null default now(),
  constraint dead_letters_pkey PRIMARY KEY (id)
);

create table "group"."erasure_receipts" ( -- owner: group_owner
  id uuid not null,
  space_id uuid not null,
  kind text not null,
  target_id uuid not null,
  reason text not null,
  removed jsonb not null,
  traces jsonb,
  deleted_at timestamp with time zone,
  erased_at timestamp with time zone not null default now(),
  verified_at timestamp with time zone,
  constraint erasure_receipts_pkey PRIMARY KEY (id)
);
CREATE INDEX erasure_receipts_list ON "group".erasure_receipts USING btree (space_id, erased_at, id);
CREATE INDEX erasure_receipts_target ON "group".erasure_receipts USING btree (space_id, target_id);
CREATE INDEX erasure_receipts_unverified ON "group".erasure_receipts USING btree (erased_at) WHERE (verified_at IS NULL);
alter table "group"."erasure_receipts" enable row level security;
alter table "group"."erasure_receipts" force row level security;
create policy erasure_receipts_spaces on "group"."erasure_receipts" using ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest)))) with check ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest))));

create table "group"."groups" ( -- owner: group_owner
  id uuid not null,
  space_id uuid not null generated always as (id) stored,
  name text not null,
  name_key text not null,
  description text,
  created_by uuid not null,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  instructions bytea,
  cache_answers boolean not null default false,
  deleted_at timestamp with time zone,
  deleted_by uuid,
  erase_after timestamp with time zone,
  document_changes text not null default 'owners_and_admins'::text,
  constraint groups_document_changes_check CHECK ((document_changes = ANY (ARRAY['owners_and_admins'::text, 'admins'::text, 'members'::text]))),
  constraint groups_pkey PRIMARY KEY (id)
);
CREATE INDEX groups_erase_after ON "group".groups USING btree (erase_after) WHERE (erase_after IS NOT NULL);
alter table "group"."groups" enable row level security;
alter table "group"."groups" force row level security;
create policy groups_not_deleted on "group"."groups" using (((deleted_at IS NULL) OR ( SELECT COALESCE(((current_setting('app.deleted'::text, true) = 'shown'::text) OR (current_setting('app.spaces'::text, true) = '*'::text)), false) AS "coalesce"))) with check (((deleted_at IS NULL) OR ( SELECT COALESCE(((current_setting('app.deleted'::text, true) = 'shown'::text) OR (current_setting('app.spaces'::text, true) = '*'::text)), false) AS "coalesce")));
create policy groups_spaces on "group"."groups" using ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest)))) with check ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest))));

create table "group"."idempotency" ( -- owner: group_owner
  user_id uuid not null,
  subject text not null,
  key text not null,
  request_hash bytea not null,
  response jsonb,
  created_at timestamp with time zone not null default now(),
  constraint idempotency_pkey PRIMARY KEY (user_id, subject, key)
);
CREATE INDEX idempotency_created_at ON "group".idempotency USING btree (created_at);

create table "group"."inbox" ( -- owner: group_owner
  event_id uuid not null,
  received_at timestamp with time zone not null default now(),
  constraint inbox_pkey PRIMARY KEY (event_id)
);
CREATE INDEX inbox_received_at ON "group".inbox USING btree (received_at);

create table "group"."jobs" ( -- owner: group_owner
  id uuid not null,
  kind text not null,
  user_id uuid not null,
  space_id uuid not null,
  payload jsonb not null,
  status text not null default 'pending'::text,
  progress_current integer not null default 0,
  progress_total integer not null default 0,
  stage text,
  error text,
  attempt integer not null default 0,
  max_attempts integer not null,
  queue_key text,
  run_after timestamp with time zone not null default now(),
  lease_owner uuid,
  lease_until timestamp with time zone,
  cancel_requested_at timestamp with time zone,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  finished_at timestamp with time zone,
  turn bigint not null default 0,
  constraint jobs_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'running'::text, 'success'::text, 'partial'::text, 'failed'::text, 'cancelled'::text]))),
  constraint jobs_pkey PRIMARY KEY (id)
);
CREATE INDEX jobs_leased ON "group".jobs USING btree (lease_owner) WHERE (status = 'running'::text);
CREATE INDEX jobs_of_user ON "group".jobs USING btree (user_id, created_at DESC, id DESC);
CREATE UNIQUE INDEX jobs_one_running_per_queue ON "group".jobs USING btree (kind, queue_key) WHERE (status = 'running'::text);
CREATE INDEX jobs_open ON "group".jobs USING btree (kind, turn, created_at, id) WHERE (status = ANY (ARRAY['pending'::text, 'running'::text]));
CREATE INDEX jobs_open_of_user ON "group".jobs USING btree (kind, user_id, turn) WHERE (status = ANY (ARRAY['pending'::text, 'running'::text]));
CREATE INDEX jobs_queue ON "group".jobs USING btree (kind, queue_key, created_at, id) WHERE ((queue_key IS NOT NULL) AND (status = ANY (ARRAY['pending'::text, 'running'::text])));
CREATE INDEX jobs_waiting ON "group".jobs USING btree (kind, turn) WHERE (status = 'pending'::text);

create table "group"."members" ( -- owner: group_owner
  group_id uuid not null,
  space_id uuid not null generated always as (group_id) stored,
  user_id uuid not null,
  role text not null,
  joined_at timestamp with time zone not null default now(),
  deleted_at timestamp with time zone,
  constraint members_role_check CHECK ((role = ANY (ARRAY['admin'::text, 'member'::text]))),
  constraint members_group_id_fkey FOREIGN KEY (group_id) REFERENCES "group".groups(id) ON DELETE CASCADE,
  constraint members_pkey PRIMARY KEY (group_id, user_id)
);
CREATE INDEX members_user ON "group".members USING btree (user_id);
alter table "group"."members" enable row level security;
alter table "group"."members" force row level security;
create policy members_not_deleted on "group"."members" using (((deleted_at IS NULL) OR ( SELECT COALESCE(((current_setting('app.deleted'::text, true) = 'shown'::text) OR (current_setting('app.spaces'::text, true) = '*'::text)), false) AS "coalesce"))) with check (((deleted_at IS NULL) OR ( SELECT COALESCE(((current_setting('app.deleted'::text, true) = 'shown'::text) OR (current_setting('app.spaces'::text, true) = '*'::text)), false) AS "coalesce")));
create policy members_spaces on "group"."members" using ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest)))) with check ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest))));

create table "group"."migrations" ( -- owner: group_owner
  name character varying(255) not null,
  "timestamp" character varying(255) not null,
  constraint migrations_pkey PRIMARY KEY (name)
);

create table "group"."migrations_lock" ( -- owner: group_owner
  id character varying(255) not null,
  is_locked integer not null default 0,
  constraint migrations_lock_pkey PRIMARY KEY (id)
);

create table "group"."name_versions" ( -- owner: group_owner
  user_id uuid not null,
  version bigint not null,
  constraint name_versions_pkey PRIMARY KEY (user_id)
);

create table "group"."outbox" ( -- owner: group_owner
  "position" bigint not null generated always as identity,
  id uuid not null,
  subject text not null,
  data jsonb not null,
  correlation_id text,
  traceparent text,
  created_at timestamp with time zone not null default now(),
  published_at timestamp with time zone,
  stream_created text,
  stream_seq bigint,
  constraint outbox_pkey PRIMARY KEY ("position"),
  constraint outbox_id_key UNIQUE (id)
);
CREATE INDEX outbox_published_at ON "group".outbox USING btree (published_at);
CREATE INDEX outbox_stream ON "group".outbox USING btree (stream_created, stream_seq);
CREATE INDEX outbox_unpublished ON "group".outbox USING btree ("position") WHERE (published_at IS NULL);

create table "ingestion"."batch_files" ( -- owner: ingestion_owner
  batch_id uuid not null,
  document_id uuid not null,
  space_id uuid not null,
  constraint batch_files_batch_id_fkey FOREIGN KEY (batch_id) REFERENCES ingestion.file_batches(id) ON DELETE CASCADE,
  constraint batch_files_document_id_fkey FOREIGN KEY (document_id) REFERENCES ingestion.documents(id) ON DELETE CASCADE,
  constraint batch_files_pkey PRIMARY KEY (batch_id, document_id)
);
CREATE INDEX batch_files_document_id ON ingestion.batch_files USING btree (document_id);
CREATE INDEX batch_files_space_id ON ingestion.batch_files USING btree (space_id);
alter table "ingestion"."batch_files" enable row level security;
alter table "ingestion"."batch_files" force row level security;
create policy batch_files_spaces on "ingestion"."batch_files" using ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest)))) with check ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest))));

create table "ingestion"."blob_pieces" ( -- owner: ingestion_owner
  blob_id uuid not null,
  index integer not null,
  space_id uuid not null,
  size integer not null,
  sealed bytea not null,
  stored_at timestamp with time zone not null default now(),
  constraint blob_pieces_blob_id_fkey FOREIGN KEY (blob_id) REFERENCES ingestion.blobs(id) ON DELETE CASCADE,
  constraint blob_pieces_pkey PRIMARY KEY (blob_id, index)
);
alter table "ingestion"."blob_pieces" enable row level security;
alter table "ingestion"."blob_pieces" force row level security;
create policy blob_pieces_spaces on "ingestion"."blob_pieces" using ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest)))) with check ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest))));

create table "ingestion"."blobs" ( -- owner: ingestion_owner
  id uuid not null,
  space_id uuid not null,
  user_id uuid not null,
  name text not null,
  declared_size bigint,
  size bigint,
  pieces integer,
  sha256 text,
  created_at timestamp with time zone not null default now(),
  finished_at timestamp with time zone,
  used_at timestamp with time zone,
  expires_at timestamp with time zone,
  constraint blobs_pkey PRIMARY KEY (id)
);
CREATE INDEX blobs_space_id ON ingestion.blobs USING btree (space_id);
CREATE INDEX blobs_unused ON ingestion.blobs USING btree (user_id, created_at) WHERE (used_at IS NULL);
CREATE INDEX blobs_used_at ON ingestion.blobs USING btree (used_at) WHERE (used_at IS NOT NULL);
alter table "ingestion"."blobs" enable row level security;
alter table "ingestion"."blobs" force row level security;
create policy blobs_spaces on "ingestion"."blobs" using ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest)))) with check ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest))));

create table "ingestion"."chunks" ( -- owner: ingestion_owner
  id uuid not null,
  space_id uuid not null,
  document_id uuid not null,
  generation integer not null,
  index integer not null,
  text text not null,
  title_path text[] not null,
  page integer,
  start integer not null,
  "end" integer not null,
  text_hash text not null,
  language text,
  time_start double precision,
  time_end double precision,
  constraint chunks_document_id_fkey FOREIGN KEY (document_id) REFERENCES ingestion.documents(id) ON DELETE CASCADE,
  constraint chunks_pkey PRIMARY KEY (id),
  constraint chunks_order UNIQUE (document_id, generation, index)
);
CREATE INDEX chunks_text_hash ON ingestion.chunks USING btree (space_id, text_hash);
alter table "ingestion"."chunks" enable row level security;
alter table "ingestion"."chunks" force row level security;
create policy chunks_spaces on "ingestion"."chunks" using ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest)))) with check ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest))));

create table "ingestion"."collection_grants" ( -- owner: ingestion_owner
  collection_id uuid not null,
  space_id uuid not null,
  user_id uuid not null,
  group_id uuid,
  name text not null,
  role text not null,
  created_at timestamp with time zone not null default now(),
  paused_at timestamp with time zone,
  constraint collection_grants_role_check CHECK ((role = ANY (ARRAY['reader'::text, 'writer'::text]))),
  constraint collection_grants_collection_id_fkey FOREIGN KEY (collection_id) REFERENCES ingestion.collections(id) ON DELETE CASCADE,
  constraint collection_grants_pkey PRIMARY KEY (collection_id, user_id)
);
CREATE INDEX collection_grants_of_user ON ingestion.collection_grants USING btree (user_id);
CREATE INDEX collection_grants_space_id ON ingestion.collection_grants USING btree (space_id);
alter table "ingestion"."collection_grants" enable row level security;
alter table "ingestion"."collection_grants" force row level security;
create policy collection_grants_own on "ingestion"."collection_grants" using ((user_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest)));
create policy collection_grants_spaces on "ingestion"."collection_grants" using ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest)))) with check ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest))));

create table "ingestion"."collections" ( -- owner: ingestion_owner
  id uuid not null default gen_random_uuid(),
  space_id uuid not null,
  name text not null,
  created_at timestamp with time zone not null default now(),
  facts bytea,
  expires_after integer,
  last_active_at timestamp with time zone,
  constraint collections_pkey PRIMARY KEY (id),
  constraint collections_name UNIQUE (space_id, name)
);
CREATE INDEX collections_list ON ingestion.collections USING btree (space_id, created_at, id);
alter table "ingestion"."collections" enable row level security;
alter table "ingestion"."collections" force row level security;
create policy collections_parts on "ingestion"."collections" using ((( SELECT (COALESCE(current_setting('app.parts'::text, true), ''::text) = ''::text)) OR (NOT (space_id IN ( SELECT (split_part(part.part, '/'::text, 1))::uuid AS split_part
   FROM unnest(string_to_array(NULLIF(current_setting('app.parts'::text, true), ''::text), ','::text)) part(part)))) OR (id IN ( SELECT (split_part(part.part, '/'::text, 2))::uuid AS split_part
   FROM unnest(string_to_array(NULLIF(current_setting('app.parts'::text, true), ''::text), ','::text)) part(part))))) with check (true);
create policy collections_spaces on "ingestion"."collections" using ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest)))) with check ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest))));

create table "ingestion"."data_keys" ( -- owner: ingestion_owner
  space_id uuid not null,
  key_version integer not null,
  wrapped bytea not null,
  created_at timestamp with time zone not null default now(),
  constraint data_keys_pkey PRIMARY KEY (space_id)
);
alter table "ingestion"."data_keys" enable row level security;
alter table "ingestion"."data_keys" force row level security;
create policy data_keys_spaces on "ingestion"."data_keys" using ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest)))) with check ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest))));

create table "ingestion"."dead_letters" ( -- owner: ingestion_owner
  id uuid not null default gen_random_uuid(),
  envelope text not null,
  reason text not null,
  created_at timestamp with time zone not null default now(),
  constraint dead_letters_pkey PRIMARY KEY (id)
);

create table "ingestion"."document_timelines" ( -- owner: ingestion_owner
  document_id uuid not null,
  run_id uuid not null,
  file_index integer not null,
  space_id uuid not null,
  entries jsonb not null,
  created_at timestamp with time zone not null default now(),
  constraint document_timelines_document_id_fkey FOREIGN KEY (document_id) REFERENCES ingestion.documents(id) ON DELETE CASCADE,
  constraint document_timelines_pkey PRIMARY KEY (document_id, run_id, file_index)
);
alter table "ingestion"."document_timelines" enable row level security;
alter table "ingestion"."document_timelines" force row level security;
create policy document_timelines_spaces on "ingestion"."document_timelines" using ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest)))) with check ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest))));

create table "ingestion"."documents" ( -- owner: ingestion_owner
  id uuid not null,
  space_id uuid not null,
  user_id uuid not null,
  path text not null,
  path_hash text not null,
  uri text not null,
  title text not null,
  mime text not null,
  bytes_size bigint not null,
  source text not null,
  tags text[] not null,
  collection text,
  group_id uuid,
  is_private boolean not null,
  blob_id uuid not null,
  sha256 text not null,
  pipeline text not null,
  generation integer not null,
  chunk_count integer not null,
  created_at timestamp with time zone not null default now(),
  last_ingested_at timestamp with time zone not null default now(),
  deleted_at timestamp with time zone,
  deleted_by uuid,
  erase_after timestamp with time zone,
  purpose text,
  expires_at timestamp with time zone,
  constraint documents_blob_id_fkey FOREIGN KEY (blob_id) REFERENCES ingestion.blobs(id),
  constraint documents_pkey PRIMARY KEY (id)
);
CREATE INDEX documents_blob_id ON ingestion.documents USING btree (blob_id);
CREATE INDEX documents_collection ON ingestion.documents USING btree (space_id, collection, created_at, id) WHERE ((collection IS NOT NULL) AND (deleted_at IS NULL));
CREATE INDEX documents_content ON ingestion.documents USING btree (space_id, sha256);
CREATE INDEX documents_erase_after ON ingestion.documents USING btree (erase_after) WHERE (erase_after IS NOT NULL);
CREATE INDEX documents_expires_at ON ingestion.documents USING btree (expires_at) WHERE ((expires_at IS NOT NULL) AND (deleted_at IS NULL));
CREATE INDEX documents_list ON ingestion.documents USING btree (space_id, created_at, id);
CREATE INDEX documents_of_collection ON ingestion.documents USING btree (space_id, collection, created_at, id);
CREATE INDEX documents_of_user ON ingestion.documents USING btree (user_id, collection);
CREATE UNIQUE INDEX documents_path ON ingestion.documents USING btree (space_id, path_hash) WHERE (deleted_at IS NULL);
alter table "ingestion"."documents" enable row level security;
alter table "ingestion"."documents" force row level security;
create policy documents_not_deleted on "ingestion"."documents" using (((deleted_at IS NULL) OR ( SELECT COALESCE(((current_setting('app.deleted'::text, true) = 'shown'::text) OR (current_setting('app.spaces'::text, true) = '*'::text)), false) AS "coalesce"))) with check (((deleted_at IS NULL) OR ( SELECT COALESCE(((current_setting('app.deleted'::text, true) = 'shown'::text) OR (current_setting('app.spaces'::text, true) = '*'::text)), false) AS "coalesce")));
create policy documents_parts on "ingestion"."documents" using ((( SELECT (COALESCE(current_setting('app.parts'::text, true), ''::text) = ''::text)) OR (NOT (space_id IN ( SELECT (split_part(part.part, '/'::text, 1))::uuid AS split_part
   FROM unnest(string_to_array(NULLIF(current_setting('app.parts'::text, true), ''::text), ','::text)) part(part)))) OR ((space_id, collection) IN ( SELECT collections.space_id,
    collections.name
   FROM ingestion.collections
  WHERE (collections.id IN ( SELECT (split_part(part.part, '/'::text, 2))::uuid AS split_part
           FROM unnest(string_to_array(NULLIF(current_setting('app.parts'::text, true), ''::text), ','::text)) part(part)))))));
create policy documents_spaces on "ingestion"."documents" using ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest)))) with check ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest))));

create table "ingestion"."embeddings" ( -- owner: ingestion_owner
  space_id uuid not null,
  model text not null,
  text_hash text not null,
  vector bytea not null,
  constraint embeddings_pkey PRIMARY KEY (space_id, text_hash, model)
);
alter table "ingestion"."embeddings" enable row level security;
alter table "ingestion"."embeddings" force row level security;
create policy embeddings_spaces on "ingestion"."embeddings" using ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest)))) with check ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest))));

create table "ingestion"."erasure_receipts" ( -- owner: ingestion_owner
  id uuid not null,
  space_id uuid not null,
  kind text not null,
  target_id uuid not null,
  reason text not null,
  removed jsonb not null,
  traces jsonb,
  deleted_at timestamp with time zone,
  erased_at timestamp with time zone not null default now(),
  verified_at timestamp with time zone,
  constraint erasure_receipts_pkey PRIMARY KEY (id)
);
CREATE INDEX erasure_receipts_list ON ingestion.erasure_receipts USING btree (space_id, erased_at, id);
CREATE INDEX erasure_receipts_target ON ingestion.erasure_receipts USING btree (space_id, target_id);
CREATE INDEX erasure_receipts_unverified ON ingestion.erasure_receipts USING btree (erased_at) WHERE (verified_at IS NULL);
alter table "ingestion"."erasure_receipts" enable row level security;
alter table "ingestion"."erasure_receipts" force row level security;
create policy erasure_receipts_spaces on "ingestion"."erasure_receipts" using ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest)))) with check ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest))));

create table "ingestion"."file_batches" ( -- owner: ingestion_owner
  id uuid not null,
  collection_id uuid not null,
  space_id uuid not null,
  user_id uuid not null,
  run_ids uuid[] not null,
  created_at timestamp with time zone not null default now(),
  cancelled_at timestamp with time zone,
  constraint file_batches_collection_id_fkey FOREIGN KEY (collection_id) REFERENCES ingestion.collections(id) ON DELETE CASCADE,
  constraint file_batches_pkey PRIMARY KEY (id)
);
CREATE INDEX file_batches_collection_id ON ingestion.file_batches USING btree (collection_id);
CREATE INDEX file_batches_space_id ON ingestion.file_batches USING btree (space_id);
alter table "ingestion"."file_batches" enable row level security;
alter table "ingestion"."file_batches" force row level security;
create policy file_batches_spaces on "ingestion"."file_batches" using ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest)))) with check ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest))));

create table "ingestion"."idempotency" ( -- owner: ingestion_owner
  user_id uuid not null,
  subject text not null,
  key text not null,
  request_hash bytea not null,
  response jsonb,
  created_at timestamp with time zone not null default now(),
  constraint idempotency_pkey PRIMARY KEY (user_id, subject, key)
);
CREATE INDEX idempotency_created_at ON ingestion.idempotency USING btree (created_at);

create table "ingestion"."inbox" ( -- owner: ingestion_owner
  event_id uuid not null,
  received_at timestamp with time zone not null default now(),
  constraint inbox_pkey PRIMARY KEY (event_id)
);
CREATE INDEX inbox_received_at ON ingestion.inbox USING btree (received_at);

create table "ingestion"."index_changes" ( -- owner: ingestion_owner
  space_id uuid not null,
  document_id uuid not null,
  seq bigint not null,
  changed_at timestamp with time zone not null default now(),
  constraint index_changes_pkey PRIMARY KEY (space_id, document_id)
);
CREATE INDEX index_changes_seq ON ingestion.index_changes USING btree (space_id, seq);
alter table "ingestion"."index_changes" enable row level security;
alter table "ingestion"."index_changes" force row level security;
create policy index_changes_spaces on "ingestion"."index_changes" using ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest)))) with check ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest))));

create table "ingestion"."index_generations" ( -- owner: ingestion_owner
  number integer not null,
  adapter text not null,
  embed_model text not null,
  vectors text not null,
  terms integer not null,
  layout integer not null,
  state text not null,
  job_id uuid not null,
  problem text,
  created_at timestamp with time zone not null default now(),
  activated_at timestamp with time zone,
  retired_at timestamp with time zone,
  constraint index_generations_adapter_check CHECK ((adapter = ANY (ARRAY['embedded'::text, 'qdrant'::text]))),
  constraint index_generations_state_check CHECK ((state = ANY (ARRAY['building'::text, 'active'::text, 'retired'::text, 'erased'::text]))),
  constraint index_generations_pkey PRIMARY KEY (number),
  constraint index_generations_job_id_key UNIQUE (job_id)
);
CREATE UNIQUE INDEX index_generations_one ON ingestion.index_generations USING btree (state) WHERE (state = ANY (ARRAY['building'::text, 'active'::text]));

create table "ingestion"."jobs" ( -- owner: ingestion_owner
  id uuid not null,
  kind text not null,
  user_id uuid not null,
  space_id uuid not null,
  payload jsonb not null,
  status text not null default 'pending'::text,
  progress_current integer not null default 0,
  progress_total integer not null default 0,
  stage text,
  error text,
  attempt integer not null default 0,
  max_attempts integer not null,
  queue_key text,
  run_after timestamp with time zone not null default now(),
  lease_owner uuid,
  lease_until timestamp with time zone,
  cancel_requested_at timestamp with time zone,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  finished_at timestamp with time zone,
  turn bigint not null default 0,
  constraint jobs_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'running'::text, 'success'::text, 'partial'::text, 'failed'::text, 'cancelled'::text]))),
  constraint jobs_pkey PRIMARY KEY (id)
);
CREATE INDEX jobs_leased ON ingestion.jobs USING btree (lease_owner) WHERE (status = 'running'::text);
CREATE INDEX jobs_of_user ON ingestion.jobs USING btree (user_id, created_at DESC, id DESC);
CREATE UNIQUE INDEX jobs_one_running_per_queue ON ingestion.jobs USING btree (kind, queue_key) WHERE (status = 'running'::text);
CREATE INDEX jobs_open ON ingestion.jobs USING btree (kind, turn, created_at, id) WHERE (status = ANY (ARRAY['pending'::text, 'running'::text]));
CREATE INDEX jobs_open_of_user ON ingestion.jobs USING btree (kind, user_id, turn) WHERE (status = ANY (ARRAY['pending'::text, 'running'::text]));
CREATE INDEX jobs_queue ON ingestion.jobs USING btree (kind, queue_key, created_at, id) WHERE ((queue_key IS NOT NULL) AND (status = ANY (ARRAY['pending'::text, 'running'::text])));
CREATE INDEX jobs_waiting ON ingestion.jobs USING btree (kind, turn) WHERE (status = 'pending'::text);

create table "ingestion"."label_changes" ( -- owner: ingestion_owner
  id uuid not null,
  space_id uuid not null,
  kind text not null,
  old_name text not null,
  new_name text,
  constraint label_changes_kind_check CHECK ((kind = ANY (ARRAY['tag'::text, 'collection'::text]))),
  constraint label_changes_pkey PRIMARY KEY (id)
);
alter table "ingestion"."label_changes" enable row level security;
alter table "ingestion"."label_changes" force row level security;
create policy label_changes_spaces on "ingestion"."label_changes" using ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest)))) with check ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest))));

create table "ingestion"."migrations" ( -- owner: ingestion_owner
  name character varying(255) not null,
  "timestamp" character varying(255) not null,
  constraint migrations_pkey PRIMARY KEY (name)
);

create table "ingestion"."migrations_lock" ( -- owner: ingestion_owner
  id character varying(255) not null,
  is_locked integer not null default 0,
  constraint migrations_lock_pkey PRIMARY KEY (id)
);

create table "ingestion"."outbox" ( -- owner: ingestion_owner
  "position" bigint not null generated always as identity,
  id uuid not null,
  subject text not null,
  data jsonb not null,
  correlation_id text,
  traceparent text,
  created_at timestamp with time zone not null default now(),
  published_at timestamp with time zone,
  stream_created text,
  stream_seq bigint,
  constraint outbox_pkey PRIMARY KEY ("position"),
  constraint outbox_id_key UNIQUE (id)
);
CREATE INDEX outbox_published_at ON ingestion.outbox USING btree (published_at);
CREATE INDEX outbox_stream ON ingestion.outbox USING btree (stream_created, stream_seq);
CREATE INDEX outbox_unpublished ON ingestion.outbox USING btree ("position") WHERE (published_at IS NULL);

create table "ingestion"."previews" ( -- owner: ingestion_owner
  blob_id uuid not null,
  page integer not null,
  space_id uuid not null,
  pages integer not null,
  sealed bytea not null,
  created_at timestamp with time zone not null default now(),
  constraint previews_blob_id_fkey FOREIGN KEY (blob_id) REFERENCES ingestion.blobs(id) ON DELETE CASCADE,
  constraint previews_pkey PRIMARY KEY (blob_id, page)
);
CREATE INDEX previews_of_space ON ingestion.previews USING btree (space_id, created_at, blob_id, page);
alter table "ingestion"."previews" enable row level security;
alter table "ingestion"."previews" force row level security;
create policy previews_spaces on "ingestion"."previews" using ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest)))) with check ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest))));

create table "ingestion"."run_files" ( -- owner: ingestion_owner
  run_id uuid not null,
  index integer not null,
  space_id uuid not null,
  path text not null,
  uri text not null,
  mime text,
  size_bytes bigint not null,
  blob_id uuid,
  document_id uuid,
  chunks integer not null default 0,
  status text not null,
  stage text not null,
  percent real not null default 0,
  error text,
  read_tries integer not null default 0,
  reader_deaths integer not null default 0,
  checkpoint text,
  title text,
  sha256 text,
  timeline jsonb not null default '[]'::jsonb,
  pipeline text,
  constraint run_files_blob_id_fkey FOREIGN KEY (blob_id) REFERENCES ingestion.blobs(id) ON DELETE SET NULL,
  constraint run_files_run_id_fkey FOREIGN KEY (run_id) REFERENCES ingestion.runs(id) ON DELETE CASCADE,
  constraint run_files_pkey PRIMARY KEY (run_id, index)
);
CREATE INDEX run_files_blob_id ON ingestion.run_files USING btree (blob_id);
alter table "ingestion"."run_files" enable row level security;
alter table "ingestion"."run_files" force row level security;
create policy run_files_spaces on "ingestion"."run_files" using ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest)))) with check ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest))));

create table "ingestion"."run_sources" ( -- owner: ingestion_owner
  run_id uuid not null,
  space_id uuid not null,
  source text not null,
  target text not null,
  recursive boolean not null,
  max_depth integer not null,
  max_pages integer not null,
  constraint run_sources_source_check CHECK ((source = ANY (ARRAY['path'::text, 'web'::text]))),
  constraint run_sources_run_id_fkey FOREIGN KEY (run_id) REFERENCES ingestion.runs(id) ON DELETE CASCADE,
  constraint run_sources_pkey PRIMARY KEY (run_id)
);
CREATE INDEX run_sources_space_id ON ingestion.run_sources USING btree (space_id);
alter table "ingestion"."run_sources" enable row level security;
alter table "ingestion"."run_sources" force row level security;
create policy run_sources_spaces on "ingestion"."run_sources" using ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest)))) with check ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest))));

create table "ingestion"."runs" ( -- owner: ingestion_owner
  id uuid not null,
  space_id uuid not null,
  user_id uuid not null,
  target_space_id uuid not null,
  tags text[] not null,
  collection text,
  group_id uuid,
  is_private boolean not null,
  created_at timestamp with time zone not null default now(),
  started_at timestamp with time zone,
  waits integer not null default 0,
  collection_id uuid,
  constraint runs_pkey PRIMARY KEY (id)
);
CREATE INDEX runs_list ON ingestion.runs USING btree (user_id, created_at, id);
CREATE INDEX runs_target_space_id ON ingestion.runs USING btree (target_space_id);
alter table "ingestion"."runs" enable row level security;
alter table "ingestion"."runs" force row level security;
create policy runs_spaces on "ingestion"."runs" using ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest)))) with check ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest))));

create table "ingestion"."source_pages" ( -- owner: ingestion_owner
  run_id uuid not null,
  n integer not null,
  space_id uuid not null,
  target text not null,
  depth integer not null,
  is_done boolean not null default false,
  constraint source_pages_run_id_fkey FOREIGN KEY (run_id) REFERENCES ingestion.run_sources(run_id) ON DELETE CASCADE,
  constraint source_pages_pkey PRIMARY KEY (run_id, n)
);
alter table "ingestion"."source_pages" enable row level security;
alter table "ingestion"."source_pages" force row level security;
create policy source_pages_spaces on "ingestion"."source_pages" using ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest)))) with check ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest))));

create table "ingestion"."space_indexes" ( -- owner: ingestion_owner
  space_id uuid not null,
  epoch uuid not null default gen_random_uuid(),
  seq bigint not null,
  erased_at timestamp with time zone,
  languages text[] not null default '{}'::text[],
  constraint space_indexes_pkey PRIMARY KEY (space_id)
);
alter table "ingestion"."space_indexes" enable row level security;
alter table "ingestion"."space_indexes" force row level security;
create policy space_indexes_spaces on "ingestion"."space_indexes" using ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest)))) with check ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest))));

create table "ingestion"."staged_chunks" ( -- owner: ingestion_owner
  run_id uuid not null,
  file_index integer not null,
  index integer not null,
  id uuid not null,
  space_id uuid not null,
  text text not null,
  title_path text[] not null,
  page integer,
  start integer not null,
  "end" integer not null,
  text_hash text not null,
  language text,
  time_start double precision,
  time_end double precision,
  constraint staged_chunks_run_id_file_index_fkey FOREIGN KEY (run_id, file_index) REFERENCES ingestion.run_files(run_id, index) ON DELETE CASCADE,
  constraint staged_chunks_pkey PRIMARY KEY (run_id, file_index, index)
);
CREATE INDEX staged_chunks_space_id ON ingestion.staged_chunks USING btree (space_id);
alter table "ingestion"."staged_chunks" enable row level security;
alter table "ingestion"."staged_chunks" force row level security;
create policy staged_chunks_spaces on "ingestion"."staged_chunks" using ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest)))) with check ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest))));

create table "ingestion"."store_files" ( -- owner: ingestion_owner
  collection_id uuid not null,
  document_id uuid not null,
  space_id uuid not null,
  user_id uuid not null,
  run_id uuid,
  run_index integer,
  refused text,
  attributes bytea,
  created_at timestamp with time zone not null default now(),
  constraint store_files_collection_id_fkey FOREIGN KEY (collection_id) REFERENCES ingestion.collections(id) ON DELETE CASCADE,
  constraint store_files_document_id_fkey FOREIGN KEY (document_id) REFERENCES ingestion.documents(id) ON DELETE CASCADE,
  constraint store_files_pkey PRIMARY KEY (collection_id, document_id)
);
CREATE INDEX store_files_document_id ON ingestion.store_files USING btree (document_id);
CREATE INDEX store_files_list ON ingestion.store_files USING btree (collection_id, created_at, document_id);
CREATE INDEX store_files_space_id ON ingestion.store_files USING btree (space_id);
alter table "ingestion"."store_files" enable row level security;
alter table "ingestion"."store_files" force row level security;
create policy store_files_spaces on "ingestion"."store_files" using ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest)))) with check ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest))));

create table "ingestion"."tags" ( -- owner: ingestion_owner
  id uuid not null default gen_random_uuid(),
  space_id uuid not null,
  name text not null,
  created_at timestamp with time zone not null default now(),
  constraint tags_pkey PRIMARY KEY (id),
  constraint tags_name UNIQUE (space_id, name)
);
CREATE INDEX tags_list ON ingestion.tags USING btree (space_id, created_at, id);
alter table "ingestion"."tags" enable row level security;
alter table "ingestion"."tags" force row level security;
create policy tags_spaces on "ingestion"."tags" using ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest)))) with check ((( SELECT COALESCE((current_setting('app.spaces'::text, true) = '*'::text), false) AS "coalesce") OR (space_id IN ( SELECT unnest((string_to_array(NULLIF(current_setting('app.spaces'::text, true), '*'::text), ','::text))::uuid[]) AS unnest))));
