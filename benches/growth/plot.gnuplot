# gnuplot benches/growth/plot.gnuplot: the plots of docs/performance.md from growth.csv.
set datafile separator ","
set terminal svg size 640,300 font "sans-serif,12" background "white"
set key outside top horizontal
set grid
set xlabel "leaves, millions"
set yrange [0:]
data = "docs/performance/growth.csv"

set output "docs/performance/append.svg"
set ylabel "µs of CPU a leaf"
plot data using ($1/1e6):2 every ::1 with linespoints title "append: durable and published"

set output "docs/performance/proof.svg"
set ylabel "µs of CPU a request"
plot data using ($1/1e6):5 every ::1 with linespoints title "inclusion proof of a leaf at random"

set output "docs/performance/start.svg"
set ylabel "ms to the first answered append"
plot data using ($1/1e6):9 every ::1 with linespoints title "after a stop", \
     data using ($1/1e6):10 every ::1 with linespoints title "after kill -9"

set output "docs/performance/disk.svg"
set ylabel "bytes a leaf of 512"
plot data using ($1/1e6):($7/$1) every ::1 with linespoints title "on disk", \
     data using ($1/1e6):($8/$1) every ::1 with linespoints title "five seconds later"

set output "docs/performance/memory.svg"
set ylabel "MiB resident"
plot data using ($1/1e6):6 every ::1 with linespoints title "server, while it appends"
