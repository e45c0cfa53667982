// The architecture rules on imports. The name of each rule states what it requires.

const LIBRARIES = {
  nats: { path: 'node_modules/(nats|@nats-io)/', importers: ['^packages/messaging/src/', '^infra/examples/src/'] },
  'kysely-and-pg': {
    path: 'node_modules/(kysely|pg)/',
    importers: ['^packages/database/src/', '^services/[^/]+/src/repositories/'],
  },
  hono: { path: 'node_modules/(hono|@hono)/', importers: ['^services/(gateway|tools)/src/', '^infra/offline-model/src/'] },
  ollama: { path: 'node_modules/ollama/', importers: ['^services/[^/]+/src/clients/ollama[.]ts$'] },
  qdrant: { path: 'node_modules/@qdrant/', importers: ['^services/[^/]+/src/clients/qdrant-index/'] },
  'the-mcp-sdk': {
    path: 'node_modules/@modelcontextprotocol/',
    importers: ['^services/tools/src/', '^services/[^/]+/src/clients/mcp-client[.]ts$'],
  },
  jose: { path: 'node_modules/jose/', importers: ['^services/auth/src/', '^packages/messaging/src/'] },
  opentelemetry: { path: 'node_modules/@opentelemetry/', importers: ['^packages/runtime/src/tracing/'] },
  pino: { path: 'node_modules/pino/', importers: ['^packages/runtime/src/'] },
}

const EXEMPT = ['[.]test[.]ts$', '/test-[^/]+[.]ts$', '[.]config[.]ts$', '^packages/test-kit/', '^infra/(bench|e2e)/']

const rule = (name, from, to) => ({ name, severity: 'error', from, to })

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    rule('no-cycles', {}, { circular: true }),
    rule('no-undeclared-dependency', {}, { couldNotResolve: true }),
    rule(
      'no-undeclared-package',
      { path: '^(services|packages|infra)/', pathNot: EXEMPT },
      { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    ),
    rule('services-never-import-services', { path: '^services/([^/]+)/' }, { path: '^services/', pathNot: '^services/$1/' }),
    rule('packages-never-import-services-or-infra', { path: '^packages/' }, { path: '^(services|infra)/' }),
    rule('only-infra-that-starts-the-system-imports-services', { path: '^infra/(?!(local|e2e|bench)/)' }, { path: '^services/' }),
    rule(
      'contracts-import-only-zod',
      { path: '^packages/contracts/src', pathNot: EXEMPT },
      { pathNot: ['^packages/contracts/src', 'node_modules/zod/'] },
    ),
    ...Object.entries(LIBRARIES).map(([name, { path, importers }]) =>
      rule(
        `only-listed-folders-import-${name}`,
        { path: '^(services|packages|infra)/', pathNot: [...importers, ...EXEMPT] },
        { path },
      ),
    ),
    rule(
      'each-service-uses-only-its-own-schema',
      { path: '^services/([^/]+)/' },
      {
        path: '^packages/database/src/owners/(auth|group|chat-agent|ingestion|analytics)/',
        pathNot: '^packages/database/src/owners/$1/',
      },
    ),
    rule('gateway-and-tools-have-no-database', { path: '^services/(gateway|tools)/' }, { path: '^packages/database/' }),
    rule(
      'the-services-layer-imports-no-transport',
      { path: '^services/[^/]+/src/services/', pathNot: EXEMPT },
      {
        path: ['^packages/messaging/', '^services/[^/]+/src/(handlers|routes|consumers|jobs|repositories|clients)/'],
        dependencyTypesNot: ['type-only'],
      },
    ),
    rule(
      'repositories-import-nothing-above-them',
      { path: '^services/[^/]+/src/repositories/', pathNot: EXEMPT },
      { path: '^services/[^/]+/src/(handlers|routes|consumers|jobs|services|clients|app|unit-of-work)' },
    ),
    rule(
      'handlers-go-through-services',
      { path: '^services/[^/]+/src/(handlers|routes|consumers|jobs)/', pathNot: EXEMPT },
      {
        path: ['^services/[^/]+/src/(repositories/|unit-of-work[.]ts)', '^packages/database/'],
        dependencyTypesNot: ['type-only'],
      },
    ),
    rule('nothing-imports-main', {}, { path: '^(services|infra)/[^/]+/src/main[.]ts$' }),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '[.]test[.]ts$|^infra/bench/rivals/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
      extensions: ['.ts', '.js', '.mjs', '.d.ts'],
    },
  },
}
