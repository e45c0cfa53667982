import { metrics } from '@youworker/runtime/health/metrics'

export const LABELS = ['answers', 'database'] as const

export const evicted = (count: number): void => metrics.cacheEvictions.labels(...LABELS).inc(count)
