export {
  catapult,
  catapultPhase,
  type CatapultOptions,
  type CatapultPhase,
  type CatapultTrace,
} from './catapult.js';
