import { defineConfig } from 'vitest/config'

// Whole houses are started and stopped in here.
export default defineConfig({
  test: {
    globalSetup: ['../../packages/test-kit/src/global-setup.ts'],
    testTimeout: 90_000,
    hookTimeout: 180_000,
    fileParallelism: false,
  },
})
