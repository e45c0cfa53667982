import { defineConfig } from 'vitest/config'

/** Whole servers and systems are started, stopped and waited for: limits are generous, and nothing asserts speed. */
export default defineConfig({
  test: {
    include: ['{packages,services,infra}/*/src/**/*.test.ts'],
    globalSetup: ['packages/test-kit/src/global-setup.ts'],
    testTimeout: 90_000,
    hookTimeout: 180_000,
  },
})
