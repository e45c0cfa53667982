import { readFile } from 'node:fs/promises'
import { globSync } from 'node:fs'
import { join } from 'node:path'

interface SourceLaw {
  readonly name: string
  readonly forbidden: RegExp
  /** Files that may. */
  readonly allowed: RegExp
}

/** Laws about text that no import graph and no linter shows. Tests are exempt from all of them. */
export const SOURCE_LAWS: readonly SourceLaw[] = [
  {
    name: 'subjects-are-named-only-in-contracts',
    // `runs.id` in a query is a column; a subject goes on with a value or a wildcard.
    forbidden: /(['"`])((rpc|events|wake)\.|runs\.[$*>])/,
    allowed: /^(packages\/contracts\/|infra\/local\/src\/laws\.ts)/,
  },
  {
    name: 'the-environment-is-read-only-at-the-door',
    forbidden: /\bprocess\.env\b/,
    allowed: /^(infra\/|packages\/(test-kit|embedded)\/|services\/[^/]+\/src\/main\.ts$)/,
  },
  {
    name: 'nothing-blocks-after-start-up',
    forbidden: /\b\w+Sync\(/,
    allowed: /^(infra\/|packages\/(test-kit|embedded)\/|packages\/runtime\/src\/config\.ts$)/,
  },
  {
    name: 'only-the-process-exits',
    forbidden: /\bprocess\.exit\(/,
    allowed: /^(infra\/|services\/[^/]+\/src\/main\.ts$|packages\/runtime\/src\/run-process\.ts$)/,
  },
  {
    name: 'every-space-at-once-is-for-relays-claims-consumers-and-erasure',
    forbidden: /\.system\(\)/,
    allowed: /^(packages\/database\/|infra\/local\/src\/laws\.ts|services\/(auth|group)\/|services\/[^/]+\/src\/(consumers|jobs)\/)/,
  },
]

export interface Breach {
  readonly law: string
  readonly file: string
}

/** Every breach below `root`, and how many files were read. */
export async function findBreaches(root: string): Promise<{ breaches: Breach[]; files: number }> {
  const files = globSync('{packages,services,infra}/*/src/**/*.ts', { cwd: root })
    .map((file) => file.replaceAll('\\', '/'))
    .filter((file) => !file.includes('node_modules') && !file.endsWith('.test.ts'))
  const breaches = await Promise.all(
    files.map(async (file) => {
      const text = withoutComments(await readFile(join(root, file), 'utf8'))
      return SOURCE_LAWS.filter(({ forbidden, allowed }) => forbidden.test(text) && !allowed.test(file)).map(({ name }) => ({ law: name, file }))
    }),
  )
  return { breaches: breaches.flat(), files: files.length }
}

const withoutComments = (text: string): string => text.replaceAll(/^\s*(\/\/|\/?\*).*$/gm, '')
