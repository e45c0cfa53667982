import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from '@youworker/runtime/logger'
import type { IndexAdapter } from '../../services/search/generations/index-adapter.ts'
import { createEmbeddedIndex } from './embedded-index.ts'
import { filesOf, namesIn, spacesIn } from './index-folder.ts'
import { LAYOUT } from './layout.ts'

const GENERATION = /^generation-(\d{1,9})$/

/** Embedded indexes below one folder: number 1 in itself, where it was before there were others, each other one in a folder of its own. */
export function embeddedAdapter(dir: string, { logger }: { readonly logger: Logger }): IndexAdapter {
  const folderOf = (number: number) => (number === 1 ? dir : join(dir, `generation-${number}`))
  const eraseNumber = async (number: number) => {
    if (number !== 1) return rm(folderOf(number), { recursive: true, force: true })
    for (const file of await filesOf(dir)) await rm(join(dir, file), { force: true })
  }
  return {
    layout: LAYOUT,
    open: ({ number }) => createEmbeddedIndex(folderOf(number), { logger }),
    activate: async () => {},
    erase: ({ number }) => eraseNumber(number),
    eraseNumber,
    async numbers() {
      const names = await namesIn(dir)
      const others = names.flatMap((name) => (GENERATION.test(name) ? [Number(name.replace(GENERATION, '$1'))] : []))
      return (await filesOf(dir)).length > 0 ? [1, ...others] : others
    },
    spaces: ({ number }) => spacesIn(folderOf(number)),
  }
}
