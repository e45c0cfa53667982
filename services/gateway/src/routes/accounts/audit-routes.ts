import { auth as authContract } from '@youworker/contracts/auth'
import { AuditQuery, type AuditVerdict } from '@youworker/contracts/audit/audit-trail'
import type { Clients } from '../../clients.ts'
import { defineRoute } from '../../http/define-route.ts'

/** Of one request; a longer trail takes several. */
const VERIFY_MS = 6_000

const common = { method: 'GET', tag: 'admin', auth: 'required', csrf: 'none', limit: 'default' } as const
type Deps = Pick<Clients, 'auth'>

export const auditRoutes = [
  defineRoute({
    ...common,
    path: '/v1/admin/audit',
    operation: 'listAuditEntries',
    summary: 'The audit trail, newest first (root); `next` of the answer is `before` of the following page',
    query: AuditQuery,
    answer: authContract.listAudit.output,
    handle: ({ query, context }, { auth }: Deps) => auth.as(context.scope).listAudit(query),
  }),
  defineRoute({
    ...common,
    path: '/v1/admin/audit/verify',
    operation: 'verifyAudit',
    summary:
      'Verify the audit trail (root), from its beginning or `after` a `position` of an earlier answer, whose entry must be the same',
    query: authContract.verifyAudit.input,
    answer: authContract.verifyAudit.output,
    async handle({ query, context }, { auth }: Deps) {
      const until = Date.now() + VERIFY_MS
      let verdict: AuditVerdict = await auth.as(context.scope).verifyAudit(query)
      while (verdict.status === 'incomplete' && verdict.position !== null && Date.now() < until) {
        const { checked, position } = verdict
        verdict = await auth.as(context.scope).verifyAudit({ after: position })
        verdict = { ...verdict, checked: checked + verdict.checked }
      }
      return verdict
    },
  }),
]
