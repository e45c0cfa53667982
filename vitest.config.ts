import { defineConfig } from 'vitest/config'

/**
 * Whole servers and systems are started, stopped and waited for: limits are generous, and nothing asserts speed.
 * Most of a test's time is waiting, so three files run at once on two cores, where vitest alone would run one. The files that a worker
 * runs share its modules: importing them anew for each would cost more time than most tests.
 */
export default defineConfig({
  test: {
    include: ['{packages,services,infra}/*/src/**/*.test.ts'],
    globalSetup: ['packages/test-kit/src/global-setup.ts'],
    maxWorkers: 3,
    isolate: false,
    testTimeout: 90_000,
    hookTimeout: 180_000,
    // `npm run coverage`: of the tests of the services alone. What those of the whole system reach is not counted.
    coverage: {
      provider: 'v8',
      include: ['services/*/src/{services,repositories}/**/*.ts'],
      reporter: ['text-summary', 'html'],
      reportOnFailure: true,
      thresholds: {
        'services/*/src/services/**/*.ts': { lines: 80, statements: 80, functions: 80 },
        'services/*/src/repositories/**/*.ts': { lines: 80, statements: 80, functions: 80 },
      },
    },
  },
})
