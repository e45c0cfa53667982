import { type AppError, ERROR_STATUS } from '@youworker/contracts/errors'

/** The file itself is the cause, so only it fails. Anything else may pass, and the whole attempt is repeated. */
export const isOfFile = ({ code }: AppError): boolean => ERROR_STATUS[code] < 500 || code === 'LLM_ERROR'
