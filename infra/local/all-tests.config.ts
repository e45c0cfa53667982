import { join } from 'node:path'
import { defineConfig } from 'vitest/config'

/** The tests of every package in one run; a package's own `vitest run` needs none of this. */
export default defineConfig({
  root: join(import.meta.dirname, '../..'),
  test: { projects: ['packages/*', 'services/*', 'infra/*'] },
})
