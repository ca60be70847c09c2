"""Things that stand in scenes, each made of named parts."""
