import { globSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { cruise, importRules, SOURCE_TREES } from './import-rules.ts'
import { ROOT } from './root.ts'
import { runTool } from './run-tool.ts'
import { findBreaches, FOLDER_RULE, SOURCE_RULES } from './source-rules.ts'

/** Configuration files that the tools read from the root of the tree. */
const CONFIG = [
  'package.json',
  'pnpm-workspace.yaml',
  'tsconfig.json',
  'tsconfig.base.json',
  '.dependency-cruiser.cjs',
  '.oxlintrc.json',
  'knip.json',
]

const CYCLE_START = 'packages/runtime/src/planted-cycle.ts'

type ViolationsByRule = Readonly<Record<string, readonly [file: string, code: string]>>

/** One violation of each rule in .dependency-cruiser.cjs. */
const IMPORT_VIOLATIONS: ViolationsByRule = {
  'no-cycles': [CYCLE_START, `export * from './planted-cycle-back.ts'`],
  'no-undeclared-dependency': ['packages/runtime/src/planted-unresolved.ts', `import 'no-such-package'`],
  'no-undeclared-package': ['packages/runtime/src/planted-undeclared.ts', `import 'vitest'`],
  'services-never-import-services': ['services/group/src/planted-other-service.ts', `import '../../auth/src/config.ts'`],
  'packages-never-import-services-or-infra': [
    'packages/runtime/src/planted-upwards.ts',
    `import '../../../services/auth/src/config.ts'`,
  ],
  'only-infra-that-starts-the-system-imports-services': [
    'infra/cli/src/planted-service.ts',
    `import '../../../services/auth/src/config.ts'`,
  ],
  'contracts-import-only-zod': ['packages/contracts/src/planted-import.ts', `import 'node:fs'`],
  'each-service-uses-only-its-own-schema': [
    'services/group/src/planted-schema.ts',
    `import '@youworker/database/owners/auth/tables'`,
  ],
  'gateway-and-tools-have-no-database': [
    'services/gateway/src/planted-database.ts',
    `import '../../../packages/database/src/connection/open.ts'`,
  ],
  'the-services-layer-imports-no-transport': [
    'services/group/src/services/planted-transport.ts',
    `import '@youworker/messaging/requests/client'`,
  ],
  'repositories-import-nothing-above-them': [
    'services/group/src/repositories/planted-up.ts',
    `import '../config.ts'\nimport '../app.ts'`,
  ],
  'handlers-go-through-services': ['services/group/src/handlers/planted-shortcut.ts', `import '../unit-of-work.ts'`],
  'nothing-imports-main': ['services/group/src/planted-main.ts', `import './main.ts'`],
  'only-listed-folders-import-nats': [
    'services/chat-agent/src/planted-nats.ts',
    `import '../../../packages/messaging/node_modules/nats/index.js'`,
  ],
  'only-listed-folders-import-kysely-and-pg': ['services/group/src/planted-kysely.ts', `import 'kysely'`],
  'only-listed-folders-import-hono': [
    'services/group/src/planted-hono.ts',
    `import '../../gateway/node_modules/hono/dist/index.js'`,
  ],
  'only-listed-folders-import-ollama': ['services/ingestion/src/planted-ollama.ts', `import 'ollama'`],
  'only-listed-folders-import-qdrant': [
    'services/ingestion/src/planted-qdrant.ts',
    `import './node_modules/@qdrant/js-client-rest/index.js'`,
  ],
  'only-listed-folders-import-the-mcp-sdk': [
    'services/chat-agent/src/planted-mcp.ts',
    `import '@modelcontextprotocol/sdk/client/index.js'`,
  ],
  'only-listed-folders-import-jose': [
    'services/group/src/planted-jose.ts',
    `import '../../auth/node_modules/jose/dist/webapi/index.js'`,
  ],
  'only-listed-folders-import-opentelemetry': ['packages/runtime/src/planted-opentelemetry.ts', `import '@opentelemetry/api'`],
  'only-listed-folders-import-pino': [
    'services/group/src/planted-pino.ts',
    `import '../../../packages/runtime/node_modules/pino/pino.js'`,
  ],
}

/** Files that the violations above import. */
const IMPORTED_FILES: Readonly<Record<string, string>> = {
  'packages/runtime/src/planted-cycle-back.ts': `export * from './planted-cycle.ts'`,
  'services/ingestion/src/node_modules/@qdrant/js-client-rest/index.js': `export {}`,
}

/** One violation of each rule in source-rules.ts. */
const SOURCE_VIOLATIONS: ViolationsByRule = {
  'subjects-are-named-only-in-contracts': ['services/group/src/planted-subject.ts', `export const subject = 'rpc.group.v1.x.y'`],
  'the-environment-is-read-only-in-main': ['services/group/src/planted-env.ts', `export const home = process.env.HOME`],
  'no-blocking-calls-after-start-up': [
    'services/group/src/planted-sync.ts',
    `import { readFileSync } from 'node:fs'\nexport const x = readFileSync('/etc/hosts')`,
  ],
  'only-main-and-run-process-exit': ['services/group/src/planted-exit.ts', `process.exit(1)`],
  'only-listed-folders-send-http-requests': [
    'services/tools/src/services/planted-fetch.ts',
    `export const read = (url: string) => fetch(url)`,
  ],
  'only-listed-files-access-all-spaces': [
    'services/ingestion/src/services/planted-system.ts',
    `export const all = (uow: { system(): unknown }) => uow.system()`,
  ],
}

const LINT_VIOLATIONS: ViolationsByRule = {
  'eslint(max-lines)': ['services/group/src/planted-long-file.ts', 'export {}\n'.repeat(251)],
  'eslint(max-lines-per-function)': [
    'services/group/src/planted-long-function.ts',
    `export function long(): void {\n${'  void 0\n'.repeat(51)}}\n`,
  ],
  'typescript(no-explicit-any)': ['services/group/src/planted-any.ts', 'export const anything: any = 1'],
}

const UNUSED_FILE = { rule: 'no-unused-file', file: 'services/group/src/planted-unused.ts', code: 'export const unused = 1' }
const FULL_FOLDER = 'services/group/src/planted-folder'
const UNUSED_DEPENDENCY = { rule: 'no-unused-dependency', file: 'services/group/package.json', name: 'never-used' }

/** Code that breaks two rules. It is planted in every source folder, because a path pattern may miss one. */
const EVERYWHERE = 'process.exit(1)\nexport const anything: any = 1\n'
const EVERYWHERE_RULES = ['only-main-and-run-process-exit', 'typescript(no-explicit-any)']

interface Violation {
  readonly rule: string
  /** Relative to the tree. */
  readonly file: string
  readonly code: string
}

const asViolations = (byRule: ViolationsByRule): Violation[] =>
  Object.entries(byRule).map(([rule, [file, code]]) => ({ rule, file, code }))

/** Every folder with sources of a service or package. */
const sourceFolders = (): string[] => [
  ...new Set(globSync('{packages,services}/*/src/**/*.ts', { cwd: ROOT, exclude: ['**/node_modules/**'] }).map(dirname)),
]

/** Violations for every source folder: {@link EVERYWHERE}, and an import that is forbidden there. */
function violationsInEveryFolder(): Violation[] {
  return sourceFolders().flatMap((folder) => {
    const upwards = relative(folder, 'services/auth/src/config.ts')
    const planted = EVERYWHERE_RULES.map((rule) => ({ rule, file: `${folder}/planted-everywhere.ts`, code: EVERYWHERE }))
    const forbidden = folder.startsWith('packages/')
      ? { rule: 'packages-never-import-services-or-infra', code: `import '${upwards}'\n` }
      : folder.includes('/src/services')
        ? { rule: 'the-services-layer-imports-no-transport', code: `import '@youworker/messaging/requests/client'\n` }
        : undefined
    return forbidden ? [...planted, { ...forbidden, file: `${folder}/planted-import.ts` }] : planted
  })
}

/** Copies the tree. Workspace packages resolve to the copy, all other packages to the real node_modules. */
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
  const files = new Map([
    ...violations.map(({ file, code }) => [file, code] as const),
    ...Object.entries(IMPORTED_FILES),
    ...Array.from({ length: 15 }, (_, n) => [`${FULL_FOLDER}/planted-${n}.ts`, 'export {}'] as const),
  ])
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

/** Runs the checks on the copy. Returns `rule file` for every violation that they report. */
async function reportedViolations(copy: string): Promise<Set<string>> {
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
    // A cycle is reported at either of its two files.
    ...imports.violations.map(({ rule, from }) => `${rule.name} ${from in IMPORTED_FILES ? CYCLE_START : from}`),
    ...sources.breaches.map(({ rule, file }) => `${rule} ${file}`),
    ...diagnostics.map(({ code, filename }) => `${code} ${filename.replace(`${copy}/`, '')}`),
    ...issues.flatMap(({ file, files = [] }) => (files.length > 0 ? [`${UNUSED_FILE.rule} ${file}`] : [])),
    ...issues.flatMap(({ file, dependencies = [] }) => dependencies.map(({ name }) => `unused ${name} ${file}`)),
  ])
}

/** Plants violations of every rule in a copy of the tree. Maps each rule to whether the checks reported all of its violations. */
export async function plantedViolationsFound(): Promise<Map<string, boolean>> {
  const single = [...asViolations(IMPORT_VIOLATIONS), ...asViolations(SOURCE_VIOLATIONS), ...asViolations(LINT_VIOLATIONS)]
  const violations = [...single, ...violationsInEveryFolder(), UNUSED_FILE]
  const copy = await copyTree()
  try {
    await plant(copy, violations)
    const reported = await reportedViolations(copy)
    const rules = [...importRules(), ...SOURCE_RULES.map(({ name }) => name), ...Object.keys(LINT_VIOLATIONS), UNUSED_FILE.rule]
    const found = rules.map((rule): [string, boolean] => {
      const planted = violations.filter((violation) => violation.rule === rule)
      return [rule, planted.length > 0 && planted.every(({ file }) => reported.has(`${rule} ${file}`))]
    })
    const { rule, name, file } = UNUSED_DEPENDENCY
    return new Map([
      ...found,
      [FOLDER_RULE, reported.has(`${FOLDER_RULE} ${FULL_FOLDER}`)],
      [rule, reported.has(`unused ${name} ${file}`)],
    ])
  } finally {
    await rm(copy, { recursive: true, force: true })
  }
}
