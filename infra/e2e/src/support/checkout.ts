import { cp, symlink } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import { ROOT } from './root.ts'

/** Folders at the top that a fresh clone does not have. */
const MADE = new Set(['.git', 'node_modules', '.youworker', '.turbo', '.env', 'secrets', 'coverage', 'test-results'])

/** Copies the project into `dir`, as a clone of its own. With `installed` it shares the packages of this one. */
export async function copyCheckout(dir: string, { installed }: { installed: boolean }): Promise<void> {
  await cp(ROOT, dir, {
    recursive: true,
    verbatimSymlinks: true,
    filter: (path) => {
      const parts = relative(ROOT, path).split(sep)
      return !MADE.has(parts[0] ?? '') && (installed || !parts.includes('node_modules'))
    },
  })
  if (installed) await symlink(join(ROOT, 'node_modules'), join(dir, 'node_modules'))
}
