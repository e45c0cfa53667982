import { z } from 'zod'
import { AuditEntry } from './audit/audit-entry.ts'
import { auditTrail } from './audit/audit-trail.ts'
import { CursorPage, Id, Line, listed, Nothing, Page, Time } from './common.ts'
import { event, request } from './define.ts'
import { Scope } from './scopes.ts'

export const Username = z
  .string()
  .min(1)
  .max(64)
  .regex(/^[\p{L}\p{N}][\p{L}\p{N}._@-]*$/u, 'letters, digits and . _ @ - only')
/** Length bounds as in NIST SP 800-63B-4 section 3.1.1. */
export const Password = z.string().min(8).max(256)
/** SHA-256 in hexadecimal: the form in which keys and session secrets travel on NATS. */
const Sha256 = z.hex().length(64)
/** From where somebody signs in. */
const SignInClient = z.object({
  /** The client's address, of an IPv6 address its /64. */
  address: z.string().min(1).max(64),
  /** SHA-256 of the secret that this browser keeps from one sign-in to the next; from now on it is a known device of the user. */
  device_sha256: Sha256,
  /** Of the session secret that the browser had so far: that session ends. */
  old_session_sha256: Sha256.optional(),
})
export type SignInClient = z.infer<typeof SignInClient>
/** A password encrypted for auth: a compact JWE (RFC 7516) for one of the keys of `listKeys`. */
const PasswordJwe = z.string().min(1).max(4_096)

export const User = z.object({ id: Id, username: z.string(), is_root: z.boolean(), created_at: Time }).meta({ id: 'User' })
export type User = z.infer<typeof User>

/** A user as an administrator sees it. */
export const Account = User.extend({ email: z.string().nullable(), suspended: z.boolean() }).meta({ id: 'Account' })
export type Account = z.infer<typeof Account>

/** The services that hold data of users, and erase it with the account. */
export const ERASING = ['group', 'chat-agent', 'ingestion', 'analytics'] as const

/** One account; of a deleted one only the erasure is known. */
export const AccountState = Account.extend({
  deleted_at: Time.nullable(),
  erasure: z.object({ status: z.enum(['running', 'success']), waiting_for: z.array(z.enum(ERASING)) }).nullable(),
}).meta({ id: 'AccountState' })
export type AccountState = z.infer<typeof AccountState>

/** One round of erasing a deleted user. */
const ErasureRound = z.object({ user_id: Id, round: z.number().int().min(1) })

/** What may be changed of an account. */
export const AccountChanges = z.object({
  username: Username.optional(),
  email: z.email().max(254).nullish(),
  is_root: z.boolean().optional(),
  suspended: z.boolean().optional(),
})
export type AccountChanges = z.infer<typeof AccountChanges>

/** An API key without the key itself, which only its owner has. */
export const ApiKey = z
  .object({
    id: Id,
    name: z.string(),
    /** `null`: all that the user may do. */
    scopes: z.array(Scope).nullable(),
    created_at: Time,
    expires_at: Time.nullable(),
    /** To about ten minutes. */
    last_used_at: Time.nullable(),
  })
  .meta({ id: 'ApiKey' })
export type ApiKey = z.infer<typeof ApiKey>

export const NewApiKey = z.object({
  name: Line(64),
  scopes: z.array(Scope).min(1).max(Scope.options.length).nullish(),
  /** Rounded down to a second. */
  expires_at: Time.nullish(),
})

const KeyId = z.object({ key_id: Id })
const UserId = z.object({ user_id: Id })

export const Revocation = z.object({
  /** Id of the ended session or key; `null` ends all sessions and keys of `sub`. */
  sid: Id.nullable(),
  sub: Id.nullable(),
  /** Tokens issued up to this time are refused. */
  revoked_at: Time,
})
export type Revocation = z.infer<typeof Revocation>

export const auth = {
  /** Signs in. The caller has made the session's secret and sends its SHA-256, which is all that is kept. */
  createSession: request('rpc.auth.v1.session.create', {
    auth: 'none',
    input: z.discriminatedUnion('method', [
      z.object({
        method: z.literal('password'),
        username: z.string().max(64),
        password_jwe: PasswordJwe,
        session_sha256: Sha256,
        client: SignInClient,
      }),
      z.object({
        method: z.literal('api_key'),
        api_key_sha256: Sha256,
        session_sha256: Sha256,
        client: SignInClient,
      }),
    ]),
    output: z.object({
      user: User,
      session_id: Id,
      /** End of the session however often it is used. An unused session ends earlier, 12 h after its last use. */
      expires_at: Time,
    }),
    /** Returned after several failures of this client, or of unknown clients for this username; `retryAfter` grows with each. */
    errors: ['RATE_LIMIT_EXCEEDED'],
  }),
  /** Ends the caller's session. Has no effect for an API key. */
  endSession: request('rpc.auth.v1.session.end', { input: Nothing, output: Nothing, repeatable: true }),
  /** The hash of a session secret or API key for an access token of at most 10 minutes. Slides the session's idle time. */
  exchangeCredential: request('rpc.auth.v1.credential.exchange', {
    auth: 'none',
    input: z.object({ kind: z.enum(['session', 'api_key']), secret_sha256: Sha256 }),
    output: z.object({ access_token: z.string(), token_expires_at: Time, sid: Id, user: User }),
    repeatable: true,
  }),
  /** The public keys (RFC 7517) that access tokens are signed with, the present one first. Passwords are encrypted for them. */
  listKeys: request('rpc.auth.v1.key.list', {
    auth: 'none',
    input: Nothing,
    output: z.object({ keys: z.array(z.record(z.string(), z.unknown())) }),
    repeatable: true,
  }),
  /** Revocations younger than the longest lifetime of a token. Older ones concern only expired tokens. */
  listRevocations: request('rpc.auth.v1.revocation.list', {
    auth: 'none',
    input: Nothing,
    output: z.object({ revocations: z.array(Revocation) }),
    repeatable: true,
  }),
  getSelf: request('rpc.auth.v1.user.get-self', { input: Nothing, output: User, repeatable: true }),
  /** root only. The caller has made the API key. A repeat, which comes with another key, is `CONFLICT`, also with the same idempotency key. */
  createUser: request('rpc.auth.v1.user.create', {
    scopes: [],
    input: z.object({
      username: Username,
      email: AccountChanges.shape.email,
      is_root: z.boolean().default(false),
      password_jwe: PasswordJwe.optional(),
      api_key_sha256: Sha256,
    }),
    output: Account,
    errors: ['CONFLICT'],
  }),
  /** root only, like the five that follow. Newest first. */
  listUsers: request('rpc.auth.v1.user.list', {
    scopes: [],
    input: CursorPage,
    output: z.object({ users: z.array(Account), ...listed }),
    repeatable: true,
  }),
  getUser: request('rpc.auth.v1.user.get', {
    scopes: [],
    input: UserId,
    output: AccountState,
    errors: ['USER_NOT_FOUND'],
    repeatable: true,
  }),
  /**
   * A suspended user cannot sign in, keys included; sessions, streams and runs end. `CONFLICT`: the caller's own rights, the account
   * `root`, or a name that is taken.
   */
  updateUser: request('rpc.auth.v1.user.update', {
    scopes: [],
    input: UserId.extend(AccountChanges.shape),
    output: Account,
    errors: ['USER_NOT_FOUND', 'CONFLICT'],
    repeatable: true,
  }),
  /** Ends all sessions of a user, and the streams and runs of the moment. API keys stay. */
  signOutUser: request('rpc.auth.v1.user.sign-out', {
    scopes: [],
    input: UserId,
    output: Nothing,
    errors: ['USER_NOT_FOUND'],
    repeatable: true,
  }),
  /** Ends the account at once and makes every service erase what is the user's alone; `getUser` tells when that is done. */
  deleteUser: request('rpc.auth.v1.user.delete', {
    scopes: [],
    input: UserId,
    output: Nothing,
    errors: ['USER_NOT_FOUND', 'CONFLICT'],
    repeatable: true,
  }),
  /** A service has erased everything of a deleted user that it had. */
  reportErasure: request('rpc.auth.internal.v1.erasure.report', {
    auth: 'service',
    input: ErasureRound.extend({ service: z.enum(ERASING) }),
    output: Nothing,
    repeatable: true,
  }),
  /** The caller's keys that have not ended, newest first. */
  listApiKeys: request('rpc.auth.v1.api-key.list', {
    scopes: [],
    input: Page,
    output: z.object({ api_keys: z.array(ApiKey), total: z.number().int() }),
    repeatable: true,
  }),
  /** The caller has made the key. `CONFLICT`: too many keys, or a repeat, which comes with another key. */
  createApiKey: request('rpc.auth.v1.api-key.create', {
    scopes: [],
    input: NewApiKey.extend({ api_key_sha256: Sha256 }),
    output: ApiKey,
    errors: ['CONFLICT'],
  }),
  /** Ends one of the caller's keys with its sessions, streams and runs. */
  revokeApiKey: request('rpc.auth.v1.api-key.revoke', {
    scopes: [],
    input: KeyId,
    output: Nothing,
    errors: ['API_KEY_NOT_FOUND', 'CONFLICT'],
  }),
  /**
   * Adds a successor of the key that the caller uses, or signed in with, else of the account's key. Both work until the successor is
   * used or `finishRotation` tells that its owner has it.
   */
  rotateApiKey: request('rpc.auth.v1.api-key.rotate', {
    scopes: [],
    input: z.object({ api_key_sha256: Sha256 }),
    output: ApiKey,
    errors: ['CONFLICT'],
  }),
  /** Ends the key that `key_id` succeeds. */
  finishRotation: request('rpc.auth.v1.api-key.finish-rotation', {
    scopes: [],
    input: KeyId,
    output: Nothing,
    repeatable: true,
  }),
  /** Looks up exact ids or one exact username. Unknown ones are missing from the reply. */
  lookUpUsers: request('rpc.auth.v1.user.look-up', {
    input: z.union([z.object({ user_ids: z.array(Id).max(200) }), z.object({ username: z.string().max(64) })]),
    output: z.object({ users: z.array(z.object({ id: Id, username: z.string() })) }),
    repeatable: true,
  }),
  /** What services need to know of other users; unknown ids are missing. */
  describeUsers: request('rpc.auth.internal.v1.user.describe', {
    auth: 'service',
    input: z.object({ user_ids: z.array(Id).max(200) }),
    output: z.object({ users: z.array(z.object({ id: Id, username: z.string(), suspended: z.boolean() })) }),
    repeatable: true,
  }),
  /** Grants one run the right to act for the caller for 7 days. A grant whose run did not start within an hour is deleted. */
  createGrant: request('rpc.auth.v1.grant.create', {
    input: z.object({ run_id: Id }),
    output: z.object({ grant_id: Id }),
    repeatable: true,
  }),
  /** Answers when a run may still act for its user; `NOT_AUTHENTICATED` when the user's session or the grant ended. */
  checkGrant: request('rpc.auth.internal.v1.grant.check', {
    auth: 'service',
    input: z.object({ grant_id: Id }),
    output: z.object({ username: z.string().optional() }),
    repeatable: true,
  }),
  /** Issues a token with audience `run`, valid for at most 5 minutes. `NOT_AUTHENTICATED` when the user's session or the grant ended. */
  issueGrantToken: request('rpc.auth.internal.v1.grant.token', {
    auth: 'service',
    input: z.object({ grant_id: Id }),
    output: z.object({ token: z.string(), token_expires_at: Time }),
    repeatable: true,
  }),

  userCreated: event(
    'events.auth.v1.user.created',
    'An account was created, `root` at the first start included.',
    z.object({ user_id: Id, is_root: z.boolean() }),
  ),
  userDeleted: event(
    'events.auth.v1.user.deleted',
    'An account was deleted: whoever holds data of the user erases it and reports. Sent again for a second round, and until all have reported.',
    ErasureRound,
  ),
  revocationAdded: event(
    'events.auth.v1.revocation.added',
    'A session or key has ended, or everything of a user: tokens of it are refused from now on.',
    Revocation,
  ),
  auditRecorded: event('events.auth.v1.audit.recorded', 'A privileged act at auth was allowed or denied.', AuditEntry),
  ...auditTrail,
} as const
