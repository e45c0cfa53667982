import { type Scope, requireScope } from '@youworker/contracts/scopes'
import type { AuditReporter } from '../../audit-reporter.ts'
import type { RequestContext } from '../request-context.ts'

export type ScopeAudit = Pick<AuditReporter, 'refusedScope'>

/** Throws `NOT_AUTHORIZED`, and reports it, unless the caller's credential is unlimited or has one of the scopes that open `route`. */
export function requireOpen(route: string, scopes: readonly Scope[], context: RequestContext, audit: ScopeAudit): void {
  try {
    requireScope(context.caller.scopes, scopes)
  } catch (error) {
    audit.refusedScope(route, context)
    throw error
  }
}
