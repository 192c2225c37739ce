require "editheader";
addheader "X-Hello" "World";
