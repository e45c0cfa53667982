import { defineConfig } from 'vitest/config'

// Whole houses are started and stopped in here.
export default defineConfig({ test: { testTimeout: 60_000, hookTimeout: 180_000, fileParallelism: false } })
