/** A node of a plan as auto_explain writes it with `log_analyze`. */
interface PlanNode {
  readonly 'Node Type': string
  readonly 'Relation Name'?: string
  readonly Schema?: string
  readonly 'Actual Rows'?: number
  readonly 'Actual Loops'?: number
  readonly 'Rows Removed by Filter'?: number
  readonly 'Rows Removed by Index Recheck'?: number
  readonly Plans?: readonly PlanNode[]
}

interface Logged {
  readonly 'Query Text': string
  readonly Plan: PlanNode
}

export interface Scan {
  readonly statement: string
  readonly node: string
  readonly table: string
  /** Rows that were looked at, those that a filter left out among them. */
  readonly rows: number
}

/** The scans of all statements in a log of Postgres. */
export function readPlans(log: string): Scan[] {
  const plans = log.matchAll(/duration: [\d.]+ ms {2}plan:\n((?:\t.*\n)+)/g)
  return [...plans].flatMap(([, json = '']) => {
    const { 'Query Text': statement, Plan } = JSON.parse(json) as Logged
    return scansOf(Plan).map((scan) => ({ ...scan, statement }))
  })
}

function scansOf(node: PlanNode): Omit<Scan, 'statement'>[] {
  const below = (node.Plans ?? []).flatMap(scansOf)
  const table = node['Relation Name']
  if (table === undefined || !node['Node Type'].endsWith('Scan')) return below
  const loops = node['Actual Loops'] ?? 1
  const removed = (node['Rows Removed by Filter'] ?? 0) + (node['Rows Removed by Index Recheck'] ?? 0)
  const rows = Math.round(((node['Actual Rows'] ?? 0) + removed) * loops)
  return [...below, { node: node['Node Type'], table, rows }]
}
