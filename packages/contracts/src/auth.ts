import { z } from 'zod'
import { AuditEntry } from './audit/audit-entry.ts'
import { auditTrail } from './audit/audit-trail.ts'
import { Id, Nothing, Time } from './common.ts'
import { event, request } from './define.ts'

export const Username = z
  .string()
  .min(1)
  .max(64)
  .regex(/^[\p{L}\p{N}][\p{L}\p{N}._@-]*$/u, 'letters, digits and . _ @ - only')
/** Length bounds as in NIST SP 800-63B-4 section 3.1.1. */
export const Password = z.string().min(8).max(256)
/** SHA-256 in hexadecimal: the form in which keys and session secrets travel on NATS. */
const Sha256 = z.hex().length(64)
/** A password encrypted for auth: a compact JWE (RFC 7516) for one of the keys of `listKeys`. */
const PasswordJwe = z.string().min(1).max(4_096)

export const User = z.object({ id: Id, username: z.string(), is_root: z.boolean(), created_at: Time }).meta({ id: 'User' })
export type User = z.infer<typeof User>

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
      }),
      z.object({ method: z.literal('api_key'), api_key_sha256: Sha256, session_sha256: Sha256 }),
    ]),
    output: z.object({
      user: User,
      session_id: Id,
      /** End of the session however often it is used. An unused session ends earlier, 12 h after its last use. */
      expires_at: Time,
    }),
    /** Returned after 10 failures for one username within 15 minutes. */
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
    input: z.object({ username: Username, password_jwe: PasswordJwe.optional(), api_key_sha256: Sha256 }),
    output: User,
    errors: ['CONFLICT'],
  }),
  /** Looks up exact ids or one exact username. Unknown ones are missing from the reply. */
  lookUpUsers: request('rpc.auth.v1.user.look-up', {
    input: z.union([z.object({ user_ids: z.array(Id).max(200) }), z.object({ username: z.string().max(64) })]),
    output: z.object({ users: z.array(z.object({ id: Id, username: z.string() })) }),
    repeatable: true,
  }),
  /** Grants one run the right to act for the caller for 7 days. A grant whose run did not start within an hour is deleted. */
  createGrant: request('rpc.auth.v1.grant.create', {
    input: z.object({ run_id: Id }),
    output: z.object({ grant_id: Id }),
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
  revocationAdded: event(
    'events.auth.v1.revocation.added',
    'A session or key has ended, or everything of a user: tokens of it are refused from now on.',
    Revocation,
  ),
  auditRecorded: event('events.auth.v1.audit.recorded', 'A privileged act at auth was allowed or denied.', AuditEntry),
  ...auditTrail,
} as const
