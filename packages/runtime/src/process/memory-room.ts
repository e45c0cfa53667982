import { getHeapStatistics } from 'node:v8'

/** Of the memory that V8 lets the process have, which follows the machine's or the container's. The rest is left to what already runs. */
const MOST = 0.7

/** Whether the process has memory for more work. */
export function hasMemoryRoom(): boolean {
  const { used_heap_size, heap_size_limit } = getHeapStatistics()
  return used_heap_size < MOST * heap_size_limit
}
