import { readFile } from 'node:fs/promises'
import { globSync } from 'node:fs'
import { dirname, join } from 'node:path'

const TEST_FILE = /\.test\.ts$|\/test-[^/]+\.ts$/

interface SourceRule {
  readonly name: string
  readonly forbidden: RegExp
  /** Files that the rule exempts. */
  readonly allowed: RegExp
}

/** Rules on source text that neither the import graph nor the linter can check. Tests and infra are exempt from all of them. */
export const SOURCE_RULES: readonly SourceRule[] = [
  {
    name: 'subjects-are-named-only-in-contracts',
    // `runs.` followed by a name is a column in SQL (`runs.id`); in a subject a value or a wildcard follows.
    forbidden: /(['"`])((rpc|events|wake|ready)\.|runs\.[$*>])/,
    allowed: /^packages\/contracts\//,
  },
  {
    name: 'the-environment-is-read-only-in-main',
    forbidden: /\bprocess\.env\b/,
    allowed: /^(packages\/(test-kit|embedded)\/|services\/[^/]+\/src\/main\.ts$)/,
  },
  {
    name: 'no-blocking-calls-after-start-up',
    forbidden: /\b\w+Sync\(/,
    allowed:
      // Formats are read in a process of their own, one file at a time.
      /^(packages\/(test-kit|embedded)\/|services\/ingestion\/src\/parsing\/formats\/|packages\/runtime\/src\/(process\/read-setting|log-output)\.ts$|packages\/database\/src\/sealing\/key-ring\.ts$)/,
  },
  {
    name: 'only-main-and-run-process-exit',
    forbidden: /\bprocess\.exit\(/,
    allowed: /^(services\/[^/]+\/src\/main\.ts$|packages\/runtime\/src\/process\/run-process\.ts$)/,
  },
  {
    name: 'only-listed-folders-send-http-requests',
    // Folders other than guarded-fetch reach only servers that an operator names. A URL of a user goes through guarded-fetch.
    forbidden: /(?<![.#\w])(fetch|tracedFetch)\(|from 'node:https'|\bWebSocket\(/,
    allowed:
      /^(packages\/(guarded-fetch|audio-server|test-kit|embedded)\/|packages\/runtime\/src\/http\/traced-fetch\.ts$|services\/(chat-agent|ingestion)\/src\/clients\/|services\/gateway\/src\/audio\/)/,
  },
  {
    name: 'only-listed-files-access-all-spaces',
    forbidden: /\.system\(\)/,
    // Files other than consumers and jobs: wiring of dead letters, erasure, a caller's own memberships, runs of an ended sign-in,
    // root's sums over everybody, its check of the search index, and indexes that are filled.
    allowed:
      /^(packages\/database\/|services\/[^/]+\/src\/(consumers|jobs)\/|services\/[^/]+\/src\/app\.ts$|services\/ingestion\/src\/services\/documents\/erasure-service\.ts$|services\/ingestion\/src\/services\/search\/(index-check\.ts$|generations\/)|services\/group\/src\/services\/own-groups\.ts$|services\/chat-agent\/src\/services\/runs\/run-service\.ts$|services\/analytics\/src\/services\/figure-access\.ts$)/,
  },
]

/** A folder with more is split by concept, so that its listing shows what is there. Folders of one kind of thing each may be long. */
export const FOLDER_RULE = 'at-most-14-source-files-in-a-folder'
const MOST_FILES = 14
const LONG_FOLDERS = /\/(routes|formats|migrations)$/

export interface Breach {
  readonly rule: string
  /** Or a folder. */
  readonly file: string
  readonly hint?: string
}

/** Every folder with too many files below `root`. */
function findFullFolders(root: string): Breach[] {
  const files = globSync('{packages,services,infra}/*/**/*.ts', { cwd: root, exclude: ['**/node_modules/**'] })
    .map((file) => file.replaceAll('\\', '/'))
    .filter((file) => !TEST_FILE.test(file))
  const folders = Map.groupBy(files, dirname)
  return [...folders].flatMap(([folder, { length }]) =>
    length > MOST_FILES && !LONG_FOLDERS.test(folder)
      ? [{ rule: FOLDER_RULE, file: folder, hint: `it has ${length}; put those of one concept into a folder of their own` }]
      : [],
  )
}

/** Every breach below `root`, and how many files were read. */
export async function findBreaches(root: string): Promise<{ breaches: Breach[]; files: number }> {
  const files = globSync('{packages,services}/*/src/**/*.ts', { cwd: root })
    .map((file) => file.replaceAll('\\', '/'))
    .filter((file) => !file.includes('node_modules') && !TEST_FILE.test(file))
  const breaches = await Promise.all(
    files.map(async (file) => {
      const text = withoutComments(await readFile(join(root, file), 'utf8'))
      return SOURCE_RULES.filter(({ forbidden, allowed }) => forbidden.test(text) && !allowed.test(file)).map(({ name }) => ({
        rule: name,
        file,
      }))
    }),
  )
  return { breaches: [...breaches.flat(), ...findFullFolders(root)], files: files.length }
}

const withoutComments = (text: string): string => text.replaceAll(/^\s*(\/\/|\/?\*).*$/gm, '')
