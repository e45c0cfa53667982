import type { Generated, Selectable } from 'kysely'
import type { SystemTables } from '../../schema/system-tables.ts'

export interface AuthTables extends SystemTables {
  users: {
    id: string
    username: string
    /** `username` folded (NFKC, lower case): unique, and used by sign-in to find the user. */
    username_key: string
    is_root: Generated<boolean>
    /** PHC string (argon2id); `null` for accounts that sign in by key only. */
    password_hash: string | null
    created_at: Generated<string>
  }
  api_keys: {
    id: string
    user_id: string
    /** SHA-256 of the key. */
    key_hash: Buffer
    /** Whether this is the key of `SECURITY__ROOT_API_KEY`. */
    from_setting: Generated<boolean>
    created_at: Generated<string>
    revoked_at: Generated<string | null>
  }
  sessions: {
    id: string
    user_id: string
    /** SHA-256 of the secret. */
    secret_hash: Buffer
    /** The API key that signed in; its revocation ends the session too. */
    api_key_id: string | null
    created_at: Generated<string>
    last_used_at: Generated<string>
  }
  grants: {
    id: string
    user_id: string
    /** Id of the session or key that the run was started with. */
    sid: string
    run_id: string
    created_at: Generated<string>
    expires_at: string
    started_at: Generated<string | null>
  }
  revocations: {
    id: string
    sid: string | null
    sub: string | null
    revoked_at: string
  }
  /** Failed sign-ins of one bucket (one hashed username, or all sign-ins by password or by key) in one window of time. */
  sign_in_failures: {
    bucket: Buffer
    window_start: Generated<string>
    failures: number
  }
  audit_entries: {
    seq: number
    /** Id of the event that contained the entry. */
    id: string
    occurred_at: string
    source: string
    actor_id: string | null
    action: string
    outcome: 'allowed' | 'denied'
    target_type: string
    target_id: string | null
    correlation_id: string
    /** `null` for entries from before the chain, like `key_version`. */
    recorded_at: string | null
    /** What the event named as its time, if that was too far from `recorded_at` to be believed. */
    claimed_at: string | null
    key_version: number | null
    prev_hash: Buffer
    hash: Buffer
  }
  /** One row: the last entry of the chain. Writers lock it, so that they append one after another. */
  audit_head: {
    singleton: Generated<boolean>
    seq: number
    hash: Buffer
    /** `null` until the chain has begun. */
    key_version: number | null
  }
}

export type UserRow = Selectable<AuthTables['users']>
export type AuditRow = Selectable<AuthTables['audit_entries']>
