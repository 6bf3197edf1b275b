mod documents;
mod properties;
mod reference;
mod reports;
mod simulation;
