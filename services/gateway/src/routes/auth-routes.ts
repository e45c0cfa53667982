import { type SignInClient, User } from '@youworker/contracts/auth'
import { Id, Time } from '@youworker/contracts/common'
import { AppError } from '@youworker/contracts/errors'
import { Group } from '@youworker/contracts/group'
import { Scope } from '@youworker/contracts/scopes'
import { newSecret, sha256Hex } from '@youworker/runtime/secret'
import { encryptForAuth } from '@youworker/messaging/tokens/encrypt-for-auth'
import { parse as parseCookies } from 'hono/utils/cookie'
import { z } from 'zod'
import type { Clients } from '../clients.ts'
import { type Cookies, csrfCookie, deviceCookie, SESSION_S, sessionCookie } from '../http/guards/cookies.ts'
import { defineRoute } from '../http/define-route.ts'
import { type Authenticator, bearerCredential, notAuthenticated, SESSION_COOKIE } from '../http/guards/authenticate.ts'
import { type AddressList, addressForLimits } from '../http/guards/client-address.ts'
import { proxyUsername, requireSameUser } from '../http/guards/authentik.ts'
import type { Csrf } from '../http/guards/csrf.ts'
import type { KnownDevices } from '../http/guards/known-device.ts'
import type { RequestContext } from '../http/request-context.ts'
import { Reply } from '../http/answers/reply.ts'

/** Stands for the session id in the CSRF token of an anonymous caller. */
const ANONYMOUS = 'nobody'

const SignIn = z.object({
  username: z.string().min(1).max(64).optional(),
  password: z.string().min(1).max(256).optional(),
  api_key: z.string().min(1).max(512).optional(),
  /** The answer then also has a bearer token. */
  token: z.boolean().default(false),
})

const SignedIn = z
  .object({
    message: z.string(),
    username: z.string(),
    /** Seconds left of the access token when the answer has one, else of the session. */
    expires_in: z.number().int(),
    user: User,
    csrf_token: z.string(),
    access_token: z.string().optional(),
    token_type: z.literal('bearer').optional(),
  })
  .meta({ id: 'SignedIn' })

type SignInMethod = { method: 'api_key'; api_key_sha256: string } | { method: 'password'; username: string; password_jwe: string }

interface SignInDeps extends Pick<Clients, 'auth'>, Cookies {
  readonly csrf: Csrf
  readonly devices: KnownDevices
  readonly identityProxies: AddressList
}

/** A key in a header wins over the body. */
async function signInMethod(
  { incoming: { headers } }: RequestContext,
  { username, password, api_key }: z.output<typeof SignIn>,
  auth: Pick<Clients['auth'], 'listKeys'>,
): Promise<SignInMethod> {
  const key = headers['x-authentik-api-key'] ?? headers['x-api-key']
  if (typeof key === 'string' && key !== '') return withKey(key)
  const bearer = /^bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1]
  if (bearer !== undefined && bearerCredential(bearer).kind === 'api_key') return withKey(bearer)
  if (api_key !== undefined) return withKey(api_key)
  if (username !== undefined && password !== undefined)
    return { method: 'password', username, password_jwe: await encryptForAuth(auth, password) }
  throw notAuthenticated()
}

const withKey = (key: string): SignInMethod => ({ method: 'api_key', api_key_sha256: sha256Hex(key) })

async function signIn(context: RequestContext, deps: SignInDeps, body: z.output<typeof SignIn>): Promise<Reply> {
  const auth = deps.auth.as(context.scope)
  const secret = newSecret()
  const device = deps.devices.read(context.incoming.headers) ?? deps.devices.create()
  const method = await signInMethod(context, body, auth)
  const session = await auth.createSession({
    ...method,
    session_sha256: sha256Hex(secret),
    client: clientOf(context, device),
  })
  requireSameUser(proxyUsername(context, deps.identityProxies), session.user.username)
  const csrf_token = deps.csrf.issue(session.session_id)
  const secondsTo = (time: string) => Math.max(0, Math.floor((Date.parse(time) - Date.now()) / 1_000))
  const answer: z.input<typeof SignedIn> = {
    message: 'Signed in',
    username: session.user.username,
    expires_in: secondsTo(session.expires_at),
    user: session.user,
    csrf_token,
  }
  if (body.token) {
    const { access_token, token_expires_at } = await auth.exchangeCredential({
      kind: 'session',
      secret_sha256: sha256Hex(secret),
    })
    Object.assign(answer, { access_token, token_type: 'bearer', expires_in: secondsTo(token_expires_at) })
  }
  return new Reply(200, answer, {
    'set-cookie': [
      sessionCookie(secret, SESSION_S, deps),
      csrfCookie(csrf_token, SESSION_S, deps),
      deviceCookie(deps.devices.valueOf(device), deps),
    ],
  })
}

function clientOf(context: RequestContext, device: string): SignInClient {
  const old = parseCookies(context.incoming.headers.cookie ?? '', SESSION_COOKIE)[SESSION_COOKIE]
  return {
    address: addressForLimits(context.address),
    device_sha256: sha256Hex(device),
    ...(old ? { old_session_sha256: sha256Hex(old) } : {}),
  }
}

interface SignOutDeps extends Pick<Clients, 'auth'>, Cookies {
  readonly authenticator: Authenticator
}

const Me = z
  .object({
    id: Id,
    username: z.string(),
    is_root: z.boolean(),
    authenticated: z.literal(true),
    created_at: Time,
    groups: z.array(Group),
    /** Services that did not answer. */
    incomplete: z.array(z.string()).optional(),
  })
  .meta({ id: 'Me' })

const common = { tag: 'auth', csrf: 'none', errors: [] } as const

export const authRoutes = [
  defineRoute({
    ...common,
    method: 'POST',
    path: '/v1/auth/auto-login',
    holdsSecret: true,
    operation: 'autoLogin',
    summary: 'Sign in with an API key in a header or in the body, or with username and password',
    auth: 'none',
    limit: 'auth',
    body: SignIn,
    answer: SignedIn,
    handle: ({ body, context }, deps: SignInDeps) => signIn(context, deps, body),
  }),
  defineRoute({
    ...common,
    method: 'POST',
    path: '/v1/auth/login',
    holdsSecret: true,
    operation: 'login',
    summary: 'Sign in; with `token: true` the answer also has a bearer token',
    auth: 'none',
    limit: 'auth',
    body: SignIn,
    answer: SignedIn,
    handle: ({ body, context }, deps: SignInDeps) => signIn(context, deps, body),
  }),
  defineRoute({
    ...common,
    method: 'POST',
    path: '/v1/auth/logout',
    operation: 'logout',
    summary: 'End the session everywhere',
    auth: 'optional',
    scopes: Scope.options,
    csrf: 'lenient',
    limit: 'default',
    answer: z.object({ message: z.string() }),
    async handle({ context }, { auth, authenticator, ...deps }: SignOutDeps) {
      if (context.identity) {
        await auth.as(context.scope).endSession({})
        authenticator.forget(context.identity.caller)
      }
      const cookies = [sessionCookie('', 0, deps), csrfCookie('', 0, deps)]
      // What the browser kept of the user's answers goes, too.
      return new Reply(200, { message: 'Signed out' }, { 'set-cookie': cookies, 'clear-site-data': '"cache"' })
    },
  }),
  defineRoute({
    ...common,
    method: 'GET',
    path: '/v1/auth/me',
    operation: 'getMe',
    summary: 'Who the caller is, with their groups',
    auth: 'required',
    scopes: ['chat', 'documents', 'documents:read'],
    limit: 'default',
    answer: Me,
    async handle({ context }, { auth, group }: Pick<Clients, 'auth' | 'group'>) {
      const [{ id, username, is_root, created_at }, listed] = await Promise.all([
        auth.as(context.scope).getSelf({}),
        group.as(context.scope).listGroups({ limit: 200 }).catch(unlessUnavailable),
      ])
      const incomplete = listed ? {} : { incomplete: ['group'] }
      return { id, username, is_root, authenticated: true as const, created_at, groups: listed?.groups ?? [], ...incomplete }
    },
  }),
  defineRoute({
    ...common,
    method: 'GET',
    path: '/v1/auth/csrf-token',
    holdsSecret: true,
    operation: 'getCsrfToken',
    summary: 'A CSRF token for the session, also set as a cookie',
    auth: 'optional',
    scopes: Scope.options,
    limit: 'default',
    answer: z.object({ csrf_token: z.string(), expires_at: Time }),
    async handle({ context }, deps: Cookies & { readonly csrf: Csrf }) {
      const csrf_token = deps.csrf.issue(context.identity?.caller.sid ?? ANONYMOUS)
      const expires_at = new Date(Date.now() + SESSION_S * 1_000).toISOString()
      return new Reply(200, { csrf_token, expires_at }, { 'set-cookie': csrfCookie(csrf_token, SESSION_S, deps) })
    },
  }),
]

/** The group service may be unavailable: the caller is then shown without groups. */
function unlessUnavailable(error: unknown): undefined {
  const isUnavailable =
    error instanceof AppError && ['SERVICE_UNAVAILABLE', 'CIRCUIT_OPEN', 'DEADLINE_EXCEEDED'].includes(error.code)
  if (!isUnavailable) throw error
}
