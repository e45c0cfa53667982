// `npm run check:laws`: breaks each law once in a copy of the tree and sees the check fire; then holds the real tree to them.
import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { findBreaches, SOURCE_LAWS } from './source-laws.ts'

const ROOT = join(import.meta.dirname, '../../..')
const TREES = ['packages', 'services', 'infra']
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
  'only-the-local-house-and-its-trials-import-services': [
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

const KNIP_VIOLATIONS = {
  'no-unused-file': 'services/group/src/planted-unused.ts',
  'no-unused-dependency': 'services/group/package.json',
}

interface Cruise {
  readonly summary: { readonly totalCruised: number; readonly violations: readonly { rule: { name: string }; from: string }[] }
}

/** Runs a tool of the workspace; its exit code is no matter, its output is the answer. */
function run(cwd: string, tool: string, args: readonly string[]): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  execFile(join(ROOT, 'node_modules/.bin', tool), args, { cwd, maxBuffer: 64 * 1024 ** 2 }, (error, stdout, stderr) => {
    if (error && stdout.trim() === '') reject(new Error(`${tool} did not run: ${stderr || error.message}`))
    else resolve(stdout)
  })
  return promise
}

async function cruise(root: string): Promise<Cruise['summary']> {
  const output = await run(root, 'depcruise', [...TREES, '--config', '--output-type', 'json'])
  const { summary } = JSON.parse(output) as Cruise
  if (summary.totalCruised === 0) throw new Error('the import check saw no module')
  return summary
}

interface KnipReport {
  readonly issues: readonly { file: string; files?: readonly unknown[]; dependencies?: readonly { name: string }[] }[]
}

const knip = async (root: string): Promise<KnipReport> =>
  JSON.parse(await run(root, 'knip', ['--reporter', 'json', '--include', 'files,dependencies,unlisted'])) as KnipReport

/** A copy whose packages find each other in the copy and everything else in the real node_modules. */
async function copyTree(): Promise<string> {
  const copy = await mkdtemp(join(tmpdir(), 'youworker-laws-'))
  const filter = (path: string) => !/[/\\](\.vite|\.turbo|\.youworker)$/.test(path)
  await Promise.all([
    ...TREES.map((tree) => cp(join(ROOT, tree), join(copy, tree), { recursive: true, verbatimSymlinks: true, filter })),
    ...CONFIG.map((file) => cp(join(ROOT, file), join(copy, file))),
    symlink(join(ROOT, 'node_modules'), join(copy, 'node_modules')),
  ])
  return copy
}

async function plant(copy: string): Promise<void> {
  const planted = [
    ...Object.values(IMPORT_VIOLATIONS),
    ...Object.values(SOURCE_VIOLATIONS),
    ...Object.values(LINT_VIOLATIONS),
    ...Object.entries(HELPERS),
  ]
  for (const [file, code] of planted) {
    await mkdir(dirname(join(copy, file)), { recursive: true })
    await writeFile(join(copy, file), `${code}\n`)
  }
  await writeFile(join(copy, KNIP_VIOLATIONS['no-unused-file']), 'export const unused = 1\n')
  const manifest = join(copy, KNIP_VIOLATIONS['no-unused-dependency'])
  const content = createRequire(import.meta.url)(manifest) as { dependencies: Record<string, string> }
  await writeFile(manifest, JSON.stringify({ ...content, dependencies: { ...content.dependencies, 'never-used': '1.0.0' } }))
}

/** Each law and whether its planted violation was seen. */
async function seePlantedFire(): Promise<Map<string, boolean>> {
  const copy = await copyTree()
  try {
    await plant(copy)
    const [imports, sources, lint, unused] = await Promise.all([
      cruise(copy),
      findBreaches(copy),
      run(copy, 'oxlint', ['--format', 'json']),
      knip(copy),
    ])
    const fired = new Map<string, boolean>()
    for (const rule of importRules()) {
      const file = IMPORT_VIOLATIONS[rule]?.[0]
      fired.set(
        rule,
        imports.violations.some(
          (violation) => violation.rule.name === rule && (violation.from === file || violation.from in HELPERS),
        ),
      )
    }
    for (const { name } of SOURCE_LAWS) {
      const file = SOURCE_VIOLATIONS[name]?.[0]
      fired.set(
        name,
        sources.breaches.some((breach) => breach.law === name && breach.file === file),
      )
    }
    const { diagnostics } = JSON.parse(lint) as { diagnostics: { code: string; filename: string }[] }
    for (const [code, [file]] of Object.entries(LINT_VIOLATIONS)) {
      fired.set(
        code,
        diagnostics.some((diagnostic) => diagnostic.code === code && diagnostic.filename.endsWith(file)),
      )
    }
    fired.set(
      'no-unused-file',
      unused.issues.some(({ file, files }) => file === KNIP_VIOLATIONS['no-unused-file'] && (files?.length ?? 0) > 0),
    )
    fired.set(
      'no-unused-dependency',
      unused.issues.some(({ dependencies }) => dependencies?.some(({ name }) => name === 'never-used') ?? false),
    )
    return fired
  } finally {
    await rm(copy, { recursive: true, force: true })
  }
}

function importRules(): string[] {
  const { forbidden } = createRequire(import.meta.url)(join(ROOT, '.dependency-cruiser.cjs')) as { forbidden: { name: string }[] }
  return forbidden.map(({ name }) => name)
}

/** Lines about what is wrong in the real tree. */
async function holdTreeToLaws(): Promise<string[]> {
  const [imports, sources] = await Promise.all([cruise(ROOT), findBreaches(ROOT)])
  if (sources.files === 0) throw new Error('the source check saw no file')
  return [
    ...imports.violations.map(({ rule, from }) => `${rule.name}: ${relative('.', from)}`),
    ...sources.breaches.map(({ law, file }) => `${law}: ${file}`),
  ]
}

const [planted, wrong] = await Promise.all([seePlantedFire(), holdTreeToLaws()])
const silent = [...planted].filter(([, fired]) => !fired).map(([law]) => law)
for (const line of wrong) console.error(`broken: ${line}`)
for (const law of silent) console.error(`did not fire: ${law}`)
console.log(`${planted.size} laws, ${planted.size - silent.length} fired`)
process.exitCode = wrong.length > 0 || silent.length > 0 ? 1 : 0
