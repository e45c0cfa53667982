/** The model name of the agent with its documents and tools. Every other name is a model itself. */
export const AGENT_MODEL = 'youworker'
