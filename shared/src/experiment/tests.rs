mod properties;
mod reference;
mod simulation;
