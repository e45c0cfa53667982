import { defineConfig } from 'vitest/config'

// Servers are started, stopped and waited for: longer than the default on a busy machine.
export default defineConfig({ test: { testTimeout: 60_000, hookTimeout: 60_000 } })
