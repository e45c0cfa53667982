import type { Strategy as StrategyName } from '@youworker/contracts/agent/chat-input'
import type { ModelInfo } from '../models/model-port.ts'
import { react } from './react.ts'
import { searchFirst } from './search-first.ts'
import type { Strategy } from './strategy.ts'
import { toolCalling } from './tool-calling.ts'

interface Choice {
  readonly wanted: StrategyName | undefined
  readonly info: Pick<ModelInfo, 'tools'>
  /** Whether there is any tool to be offered. */
  readonly hasTools: boolean
  /** The form of the answer is given, which leaves no room for calls written as text. */
  readonly isFormed: boolean
}

export function chooseStrategy({ wanted, info, hasTools, isFormed }: Choice): Strategy {
  if (wanted === 'rag') return searchFirst
  if (!hasTools || wanted === 'tools' || (wanted === undefined && info.tools)) return toolCalling
  return isFormed ? searchFirst : react
}
