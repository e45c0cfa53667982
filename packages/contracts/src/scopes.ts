import { z } from 'zod'
import { AppError } from './errors.ts'

/**
 * What an API key may be limited to. `documents` also writes, `documents:read` only reads and searches, `ops` reads health and metrics.
 * Each route of the gateway names the scopes that open it; a route that names none is closed to limited keys.
 */
export const Scope = z.enum(['chat', 'documents', 'documents:read', 'ops'])
export type Scope = z.infer<typeof Scope>

/** In a token: its credential is not limited. */
export const UNLIMITED = '*'

/** Throws `NOT_AUTHORIZED` unless a token with the scopes `granted` may do what any one of `needed` opens. */
export function requireScope(granted: readonly string[], needed: readonly Scope[]): void {
  if (granted.includes(UNLIMITED) || needed.some((scope) => granted.includes(scope))) return
  const remedy =
    needed.length === 0 ? 'use a key without scopes, or sign in' : `it needs the scope ${needed.join(' or ')}; use another key`
  throw new AppError('NOT_AUTHORIZED', `This API key is limited and may not do this: ${remedy}`)
}
