import type { Scope } from '@youworker/contracts/scopes'
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
    email: Generated<string | null>
    suspended_at: Generated<string | null>
    created_at: Generated<string>
  }
  api_keys: {
    id: string
    user_id: string
    /** SHA-256 of the key. */
    key_hash: Buffer
    /** Whether this is the key of `SECURITY__ROOT_API_KEY`. */
    from_setting: Generated<boolean>
    name: Generated<string>
    /** `null`: not limited. */
    scopes: Generated<Scope[] | null>
    expires_at: Generated<string | null>
    /** Written at most every ten minutes. */
    last_used_at: Generated<string | null>
    /** Whether it came with the account, or succeeds the one that did: the key that a rotation without another key replaces. */
    of_account: Generated<boolean>
    /** The key that ends once the owner is known to have this one. */
    replaces: Generated<string | null>
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
  /** What is left of a deleted user until the other services have erased theirs, and for the record afterwards. */
  deleted_users: {
    user_id: string
    /** Of the account. */
    created_at: string
    deleted_at: Generated<string>
    /** Services erase twice: requests under way at the deletion may have written after the first time. */
    round: Generated<number>
    /** Services that have not reported in this round. */
    waiting_for: string[]
    /** When the next round begins, or this one is announced again. */
    due_at: string
    erased_at: Generated<string | null>
  }
  /** Failed sign-ins of one bucket: a hashed username, address or device, or two of them together. */
  sign_in_failures: {
    bucket: Buffer
    failures: number
    last_failed_at: Generated<string>
    /** Until then, sign-ins that count here are refused. */
    blocked_until: string | null
    /** Only read by the version before. */
    window_start: Generated<string>
  }
  /** Devices and addresses from which a user has signed in. */
  known_clients: {
    user_id: string
    kind: 'device' | 'address'
    hash: Buffer
    last_used_at: Generated<string>
    /** Whether it has signed in more than once. */
    has_returned: Generated<boolean>
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
    /** From where the act was asked for; `null` when nobody asked, and for entries from before, like `user_agent`. */
    address: string | null
    user_agent: string | null
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
export type ApiKeyRow = Selectable<AuthTables['api_keys']>
export type AuditRow = Selectable<AuthTables['audit_entries']>
