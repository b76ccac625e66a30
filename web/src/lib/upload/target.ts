/** A folder into which something is put. */
export interface Target {
  id: string;
  name: string;
  /** It is somebody else's, whose room is taken. */
  foreign?: boolean;
  /** Nothing may be put into it. */
  closed?: boolean;
}
