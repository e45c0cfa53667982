import type { IncomingMessage } from 'node:http'
import { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { SessionRef } from '@youworker/contracts/agent/chat-input'
import { AppError } from '@youworker/contracts/errors'
import { WebSocketServer } from 'ws'
import type { AuditReporter } from '../audit-reporter.ts'
import { canonicalPath } from '../http/canonical-path.ts'
import { MOST_RECORDED } from '../audio/voice.ts'
import { LargeFrames } from './large-frames.ts'
import { ChatSocket, type ChatSocketDeps } from './chat-socket.ts'
import { RequestContext, type RequestSettings } from '../http/request-context.ts'
import { bearerCredential, type Credential, notAuthenticated, readCredential } from '../http/guards/authenticate.ts'
import { type AddressList, requireListed } from '../http/guards/client-address.ts'
import { isSocketOriginAllowed } from '../http/guards/cors.ts'
import { requireOpen, type ScopeAudit } from '../http/guards/scope.ts'
import { toAppError } from '../http/answers/to-app-error.ts'
import { sendError } from '../http/answers/reply.ts'
import { OpenSockets } from './open-sockets.ts'

export const SOCKET_PATHS = ['/v1/ws/chat/{session_id}', '/chat/{session_id}'] as const
const PATTERNS = SOCKET_PATHS.map((path) => new RegExp(`^${path.replace('{session_id}', '([^/]+)')}$`))

/** The session's reference as the client wrote it; `undefined` when no WebSocket is served at this path. */
const sessionInPath = (path: string): string | undefined =>
  PATTERNS.map((pattern) => pattern.exec(path)?.[1]).find((ref) => ref !== undefined)

/** A recording in base64, and what is around it. Only a frame `audio` has more than `MAX_TEXT_FRAME`. */
const MAX_FRAME = Math.ceil((MOST_RECORDED * 4) / 3) + 64 * 1024
/** Of one message: browsers send a recording in parts. */
const MAX_FRAGMENTS = 1_024
/** Reads of the network that a recording may take; other frames have a lower bound. */
const MAX_CHUNKS = 16_384
const BEARER = 'bearer'
/** How long a client may take to answer the closing handshake. */
const CLOSING_MS = 5_000
/** The same when this process ends. */
const LAST_CLOSING_MS = 500

/** Browsers cannot set headers on a WebSocket: they offer the protocols `bearer` and the token itself. */
function credentialOf({ headers }: IncomingMessage): Credential | undefined {
  const offered = (headers['sec-websocket-protocol'] ?? '').split(',').map((protocol) => protocol.trim())
  const token = offered[0] === BEARER ? offered[1] : undefined
  return token ? bearerCredential(token) : readCredential(headers)
}

interface Deps extends ChatSocketDeps {
  readonly audit: Pick<AuditReporter, 'refusedCredential'> & ScopeAudit
  readonly allowList: AddressList
}

const OPTIONS = {
  noServer: true,
  maxPayload: MAX_FRAME,
  maxFragments: MAX_FRAGMENTS,
  maxBufferedChunks: MAX_CHUNKS,
  perMessageDeflate: false,
  clientTracking: true,
  // A client that sends pings and does not read would fill the memory.
  autoPong: false,
  // Not in the types of 8.18 yet.
  closeTimeout: CLOSING_MS,
  handleProtocols: (offered: ReadonlySet<string>) => (offered.has(BEARER) ? BEARER : false),
}

/** Turns upgrade requests into chat sockets; a refused one is answered in HTTP. */
export class SocketServer {
  readonly #deps: Deps
  readonly #settings: RequestSettings
  /** By user. */
  readonly #open = new OpenSockets()
  readonly #largeFrames = new LargeFrames()
  readonly #server = new WebSocketServer(OPTIONS)

  constructor(deps: Deps, settings: RequestSettings) {
    this.#deps = deps
    this.#settings = settings
  }

  async upgrade(incoming: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    const onError = () => socket.destroy()
    socket.on('error', onError)
    const response = new ServerResponse(incoming)
    const context = new RequestContext(incoming, response, this.#settings)
    try {
      const sessionId = await context.deadline.within(() => this.#admit(context), 'try again')
      context.deadline.lift()
      if (socket.destroyed) return
      this.#open.require(context.caller.user_id)
      this.#server.handleUpgrade(incoming, socket, head, (webSocket) => {
        socket.off('error', onError)
        socket.once('close', () => {
          this.#open.leave(context.caller.user_id)
          context.served(this.#deps.logger, { route: SOCKET_PATHS[0], status: 101 })
        })
        this.#open.enter(context.caller.user_id)
        this.#largeFrames.watch({ webSocket, socket }, context.caller.user_id)
        new ChatSocket({ webSocket, socket }, context, sessionId, this.#deps).serve()
      })
    } catch (error) {
      this.#refuse(context, socket, error)
    }
  }

  /** Gives clients a moment to answer the closing handshake, then disconnects them. */
  async close(): Promise<void> {
    const until = Date.now() + LAST_CLOSING_MS
    while (this.#server.clients.size > 0 && Date.now() < until) await sleep(20)
    for (const client of this.#server.clients) client.terminate()
    this.#server.close()
  }

  async #admit(context: RequestContext): Promise<string> {
    const { incoming } = context
    const { audit, limiter, authenticator, allowList, chatAgent } = this.#deps
    requireListed(context.address, allowList)
    const ref = sessionInPath(canonicalPath(incoming.url))
    if (ref === undefined) throw new AppError('ROUTE_NOT_FOUND', `WebSockets are served at ${SOCKET_PATHS[0]}`)
    if (!isSocketOriginAllowed(incoming.headers, this.#settings.origins)) {
      throw new AppError('NOT_AUTHORIZED', 'Pages of this origin may not connect; FRONTEND_ORIGIN lists those that may')
    }
    const credential = credentialOf(incoming)
    if (!credential) throw notAuthenticated()
    const admit = () => {
      if (limiter.isSpent('failure', context.limitKey)) throw limiter.refusal('failure')
    }
    context.identity = await authenticator.authenticate(credential, admit).catch((error: unknown) => {
      if (error instanceof AppError && error.code === 'NOT_AUTHENTICATED') {
        audit.refusedCredential(credential.kind, context)
        limiter.take('failure', context.limitKey)
      }
      throw error
    })
    requireOpen(`WS ${SOCKET_PATHS[0]}`, ['chat'], context, audit)
    context.rate = limiter.take('default', context.caller.user_id)
    if (context.rate && context.rate.remaining < 0) throw limiter.refusal('default')
    const { id } = await chatAgent.as(context.scope).getSession({ session_id: sessionRef(ref) })
    return id
  }

  #refuse(context: RequestContext, socket: Socket, error: unknown): void {
    const failure = toAppError(error)
    const { outgoing, correlationId: correlation_id } = context
    const { logger } = this.#deps
    context.code = failure.code
    if (failure.code === 'INTERNAL_ERROR') logger.error({ err: error, correlation_id }, 'an upgrade failed')
    if (socket.destroyed) return context.served(logger, { route: SOCKET_PATHS[0] })
    socket.once('close', () => context.served(logger, { route: SOCKET_PATHS[0] }))
    outgoing.shouldKeepAlive = false
    // An upgrade has no response of its own: this makes `outgoing` write to the socket.
    outgoing.assignSocket(context.incoming.socket)
    outgoing.once('finish', () => socket.end())
    sendError(context, failure)
  }
}

function sessionRef(raw: string): string {
  try {
    return SessionRef.parse(decodeURIComponent(raw))
  } catch (cause) {
    throw new AppError('VALIDATION_ERROR', 'The path is not valid: session_id', {
      cause,
      details: [{ field: 'session_id', message: 'is not valid' }],
    })
  }
}
