import { readFile } from 'node:fs/promises'
import { globSync } from 'node:fs'
import { join } from 'node:path'
import { check } from 'recheck'
import ts from 'typescript'
import { ROOT } from './root.ts'

export interface SlowExpression {
  /** `file:line`. */
  readonly where: string
  readonly expression: string
  readonly complexity: string
}

/** An attack counts by the characters that it reads, never by its time, which on a busy machine says nothing. */
const BY_COUNT = { timeout: null, seedingTimeout: null, incubationTimeout: null, attackTimeout: null } as const

/**
 * The regular expressions of services, packages and the offline model whose time grows faster than the text they are given. A single
 * one of them over what a user sends stops the process for all others. What takes long to analyse is best written in a simpler form.
 */
export async function findSlowExpressions(): Promise<{ slow: SlowExpression[]; checked: number }> {
  const files = globSync(['{packages,services}/*/src/**/*.ts', 'infra/offline-model/src/**/*.ts'], { cwd: ROOT })
  const sources = files.filter((file) => !/node_modules|\.test\.ts$|\/test-[^/]+\.ts$/.test(file))
  const expressions = (await Promise.all(sources.map(expressionsOf))).flat()
  const results = []
  for (const { where, node } of expressions) {
    const end = node.text.lastIndexOf('/')
    // No limit of time: on a busy machine a good expression would be called slow.
    const result = await check(node.text.slice(1, end), node.text.slice(end + 1), BY_COUNT)
    if (result.status === 'safe') continue
    results.push({
      where,
      expression: node.text,
      complexity: result.status === 'vulnerable' ? result.complexity.summary : result.status,
    })
  }
  return { slow: results, checked: expressions.length }
}

async function expressionsOf(file: string): Promise<{ where: string; node: ts.RegularExpressionLiteral }[]> {
  const source = ts.createSourceFile(file, await readFile(join(ROOT, file), 'utf8'), ts.ScriptTarget.Latest, true)
  const found: { where: string; node: ts.RegularExpressionLiteral }[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isRegularExpressionLiteral(node)) {
      const { line } = source.getLineAndCharacterOfPosition(node.getStart())
      found.push({ where: `${file}:${line + 1}`, node })
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}
