import { globSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { cruise, importRules, SOURCE_TREES } from './import-rules.ts'
import { ROOT } from './root.ts'
import { runTool } from './run-tool.ts'
import { findBreaches, SOURCE_RULES } from './source-rules.ts'

/** What the tools read, beside the sources. */
const CONFIG = [
  'package.json',
  'pnpm-workspace.yaml',
  'tsconfig.json',
  'tsconfig.base.json',
  '.dependency-cruiser.cjs',
  '.oxlintrc.json',
  'knip.json',
]

/** One violation for each rule of the import graph: a file and what it imports. */
const IMPORT_VIOLATIONS: Readonly<Record<string, readonly [file: string, code: string]>> = {
  'no-cycles': ['packages/runtime/src/planted-cycle.ts', `export * from './planted-cycle-back.ts'`],
  'no-undeclared-dependency': ['packages/runtime/src/planted-unresolved.ts', `import 'no-such-package'`],
  'no-undeclared-package': ['packages/runtime/src/planted-undeclared.ts', `import 'vitest'`],
  'services-never-import-services': ['services/group/src/planted-neighbour.ts', `import '../../auth/src/config.ts'`],
  'packages-never-import-services-or-infra': [
    'packages/runtime/src/planted-upwards.ts',
    `import '../../../services/auth/src/config.ts'`,
  ],
  'only-infra-that-starts-the-system-imports-services': [
    'infra/cli/src/planted-service.ts',
    `import '../../../services/auth/src/config.ts'`,
  ],
  'contracts-import-only-zod': ['packages/contracts/src/planted-import.ts', `import 'node:fs'`],
  'each-service-opens-only-its-own-schema': [
    'services/group/src/planted-schema.ts',
    `import '@youworker/database/owners/auth/tables'`,
  ],
  'gateway-and-tools-have-no-database': [
    'services/gateway/src/planted-database.ts',
    `import '../../../packages/database/src/connection/open.ts'`,
  ],
  'the-services-layer-knows-no-transport': [
    'services/group/src/services/planted-transport.ts',
    `import '@youworker/messaging/requests/client'`,
  ],
  'repositories-import-nothing-above-them': [
    'services/group/src/repositories/planted-up.ts',
    `import '../config.ts'\nimport '../app.ts'`,
  ],
  'handlers-go-through-services': ['services/group/src/handlers/planted-shortcut.ts', `import '../unit-of-work.ts'`],
  'only-a-process-starts-main': ['services/group/src/planted-main.ts', `import './main.ts'`],
  'nats-has-one-importer': [
    'services/chat-agent/src/planted-nats.ts',
    `import '../../../packages/messaging/node_modules/nats/index.js'`,
  ],
  'kysely-and-pg-has-one-importer': ['services/group/src/planted-kysely.ts', `import 'kysely'`],
  'hono-has-one-importer': ['services/group/src/planted-hono.ts', `import '../../gateway/node_modules/hono/dist/index.js'`],
  'ollama-has-one-importer': ['services/ingestion/src/planted-ollama.ts', `import 'ollama'`],
  'qdrant-has-one-importer': [
    'services/ingestion/src/planted-qdrant.ts',
    `import './node_modules/@qdrant/js-client-rest/index.js'`,
  ],
  'the-mcp-sdk-has-one-importer': [
    'services/chat-agent/src/planted-mcp.ts',
    `import '@modelcontextprotocol/sdk/client/index.js'`,
  ],
  'jose-has-one-importer': ['services/group/src/planted-jose.ts', `import '../../auth/node_modules/jose/dist/webapi/index.js'`],
  'pino-has-one-importer': ['services/group/src/planted-pino.ts', `import '../../../packages/runtime/node_modules/pino/pino.js'`],
}

const CYCLE_START = 'packages/runtime/src/planted-cycle.ts'

/** What the violations import. */
const HELPERS: Readonly<Record<string, string>> = {
  'packages/runtime/src/planted-cycle-back.ts': `export * from './planted-cycle.ts'`,
  'services/ingestion/src/node_modules/@qdrant/js-client-rest/index.js': `export {}`,
}

const SOURCE_VIOLATIONS: Readonly<Record<string, readonly [file: string, code: string]>> = {
  'subjects-are-named-only-in-contracts': ['services/group/src/planted-subject.ts', `export const subject = 'rpc.group.v1.x.y'`],
  'the-environment-is-read-only-at-the-door': ['services/group/src/planted-env.ts', `export const home = process.env.HOME`],
  'nothing-blocks-after-start-up': [
    'services/group/src/planted-sync.ts',
    `import { readFileSync } from 'node:fs'\nexport const x = readFileSync('/etc/hosts')`,
  ],
  'only-the-process-exits': ['services/group/src/planted-exit.ts', `process.exit(1)`],
  'every-space-at-once-is-for-relays-claims-consumers-and-erasure': [
    'services/ingestion/src/services/planted-system.ts',
    `export const all = (uow: { system(): unknown }) => uow.system()`,
  ],
}

const LINT_VIOLATIONS: Readonly<Record<string, readonly [file: string, code: string]>> = {
  'eslint(max-lines)': ['services/group/src/planted-long-file.ts', 'export {}\n'.repeat(251)],
  'eslint(max-lines-per-function)': [
    'services/group/src/planted-long-function.ts',
    `export function long(): void {\n${'  void 0\n'.repeat(51)}}\n`,
  ],
  'typescript(no-explicit-any)': ['services/group/src/planted-any.ts', 'export const anything: any = 1'],
}

const UNUSED_FILE = { rule: 'no-unused-file', file: 'services/group/src/planted-unused.ts', code: 'export const unused = 1' }
const UNUSED_DEPENDENCY = { rule: 'no-unused-dependency', file: 'services/group/package.json', name: 'never-used' }

/** Code of a file that no rule may overlook, in whichever folder it lies. */
const EVERYWHERE = 'process.exit(1)\nexport const anything: any = 1\n'
const EVERYWHERE_RULES = ['only-the-process-exits', 'typescript(no-explicit-any)']

interface Violation {
  readonly rule: string
  /** Relative to the tree. */
  readonly file: string
  readonly code: string
}

const asViolations = (byRule: Readonly<Record<string, readonly [file: string, code: string]>>): Violation[] =>
  Object.entries(byRule).map(([rule, [file, code]]) => ({ rule, file, code }))

/** Folders with sources of services and packages: a rule must reach each of them. */
const sourceFolders = (): string[] => [
  ...new Set(globSync('{packages,services}/*/src/**/*.ts', { cwd: ROOT, exclude: ['**/node_modules/**'] }).map(dirname)),
]

function everyFolder(): Violation[] {
  return sourceFolders().flatMap((folder) => {
    const upwards = relative(folder, 'services/auth/src/config.ts')
    const planted = EVERYWHERE_RULES.map((rule) => ({ rule, file: `${folder}/planted-everywhere.ts`, code: EVERYWHERE }))
    const forbidden = folder.startsWith('packages/')
      ? { rule: 'packages-never-import-services-or-infra', code: `import '${upwards}'\n` }
      : folder.includes('/src/services')
        ? { rule: 'the-services-layer-knows-no-transport', code: `import '@youworker/messaging/requests/client'\n` }
        : undefined
    return forbidden ? [...planted, { ...forbidden, file: `${folder}/planted-import.ts` }] : planted
  })
}

/** A copy whose packages find each other in the copy and everything else in the real node_modules. */
async function copyTree(): Promise<string> {
  const copy = await mkdtemp(join(tmpdir(), 'youworker-rules-'))
  const filter = (path: string) => !/[/\\](\.vite|\.turbo|\.youworker)$/.test(path)
  await Promise.all([
    ...SOURCE_TREES.map((tree) => cp(join(ROOT, tree), join(copy, tree), { recursive: true, verbatimSymlinks: true, filter })),
    ...CONFIG.map((file) => cp(join(ROOT, file), join(copy, file))),
    symlink(join(ROOT, 'node_modules'), join(copy, 'node_modules')),
  ])
  return copy
}

async function plant(copy: string, violations: readonly Violation[]): Promise<void> {
  const files = new Map([...violations.map(({ file, code }) => [file, code] as const), ...Object.entries(HELPERS)])
  for (const [file, code] of files) {
    await mkdir(dirname(join(copy, file)), { recursive: true })
    await writeFile(join(copy, file), `${code}\n`)
  }
  const manifest = join(copy, UNUSED_DEPENDENCY.file)
  const content = JSON.parse(await readFile(manifest, 'utf8')) as { dependencies: Record<string, string> }
  await writeFile(
    manifest,
    JSON.stringify({ ...content, dependencies: { ...content.dependencies, [UNUSED_DEPENDENCY.name]: '1.0.0' } }),
  )
}

/** Every `rule file` that the checks complain about. */
async function complaints(copy: string): Promise<Set<string>> {
  const [imports, sources, lint, knip] = await Promise.all([
    cruise(copy),
    findBreaches(copy),
    runTool(copy, 'oxlint', ['--format', 'json']),
    runTool(copy, 'knip', ['--reporter', 'json', '--include', 'files,dependencies,unlisted']),
  ])
  const { diagnostics } = JSON.parse(lint) as { diagnostics: { code: string; filename: string }[] }
  const { issues } = JSON.parse(knip) as {
    issues: { file: string; files?: unknown[]; dependencies?: { name: string }[] }[]
  }
  return new Set([
    ...imports.violations.map(({ rule, from }) => `${rule.name} ${from in HELPERS ? CYCLE_START : from}`),
    ...sources.breaches.map(({ rule, file }) => `${rule} ${file}`),
    ...diagnostics.map(({ code, filename }) => `${code} ${filename.replace(`${copy}/`, '')}`),
    ...issues.flatMap(({ file, files = [] }) => (files.length > 0 ? [`${UNUSED_FILE.rule} ${file}`] : [])),
    ...issues.flatMap(({ file, dependencies = [] }) => dependencies.map(({ name }) => `unused ${name} ${file}`)),
  ])
}

/** Each rule, and whether the checks saw every violation of it that was planted in a copy of the tree. */
export async function plantedViolationsFound(): Promise<Map<string, boolean>> {
  const single = [...asViolations(IMPORT_VIOLATIONS), ...asViolations(SOURCE_VIOLATIONS), ...asViolations(LINT_VIOLATIONS)]
  const violations = [...single, ...everyFolder(), UNUSED_FILE]
  const copy = await copyTree()
  try {
    await plant(copy, violations)
    const seen = await complaints(copy)
    const rules = [...importRules(), ...SOURCE_RULES.map(({ name }) => name), ...Object.keys(LINT_VIOLATIONS), UNUSED_FILE.rule]
    const found = rules.map((rule): [string, boolean] => {
      const planted = violations.filter((violation) => violation.rule === rule)
      return [rule, planted.length > 0 && planted.every(({ file }) => seen.has(`${rule} ${file}`))]
    })
    const { rule, name, file } = UNUSED_DEPENDENCY
    return new Map([...found, [rule, seen.has(`unused ${name} ${file}`)]])
  } finally {
    await rm(copy, { recursive: true, force: true })
  }
}
