/** Whether everything is to be tried, at the lengths that a launch asks for: hours are not spent on every commit. */
export const isLongForm = process.env.MESHPROOF_LONG === '1';
