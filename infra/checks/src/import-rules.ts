import { createRequire } from 'node:module'
import { join } from 'node:path'
import { ROOT } from './root.ts'
import { runTool } from './run-tool.ts'

export const SOURCE_TREES = ['packages', 'services', 'infra'] as const

interface ImportReport {
  readonly totalCruised: number
  readonly violations: readonly { readonly rule: { readonly name: string }; readonly from: string }[]
}

/** Checks every import below `root` against .dependency-cruiser.cjs. Throws when no module was found. */
export async function cruise(root: string): Promise<ImportReport> {
  const output = await runTool(root, 'depcruise', [...SOURCE_TREES, '--config', '--output-type', 'json'])
  const { summary } = JSON.parse(output) as { summary: ImportReport }
  if (summary.totalCruised === 0) throw new Error('the import check saw no module')
  return summary
}

/** Names of the rules in .dependency-cruiser.cjs. */
export function importRules(): string[] {
  const config = createRequire(import.meta.url)(join(ROOT, '.dependency-cruiser.cjs')) as { forbidden: { name: string }[] }
  return config.forbidden.map(({ name }) => name)
}
