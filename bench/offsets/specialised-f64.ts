// The 21-layer 3x3 ReLU CNN on at most 32x32 written out for one net: compile-time row strides, scales folded in by hand. What the
// general op lists of assembly/offsets.ts are measured against (bench/offsets.mjs).
const CTAB:usize=memory.data<f64>([1.0,1.0,0.1111111111111111,0.1111111111111111,0.05555555555555555,0.05555555555555555,0.07856296070048403,0.07856296070048403,-0.035323558796788924,-0.035323558796788924,0.01943936689563413,0.01943936689563413,-0.01121938811812628,-0.01121938811812628,0.006258292257693371,0.006258292257693371,-0.0031268717410645255,-0.0031268717410645255,0.0013003048511482757,0.0013003048511482757,-0.0004187488447873818,-0.0004187488447873818,0.000096101621669417,0.000096101621669417,-0.000013836863278123751,-0.000013836863278123751,9.33592971561427e-7,9.33592971561427e-7],64);
const ATAB:usize=memory.data<u64>([0x7fffffffffffffff,0x7fffffffffffffff],64);
const ARR:usize=18496;const rowbuf:usize=memory.data(5504,64);
export function base():usize{return (__heap_base+63)&~63;}
// @ts-ignore
@inline
function layerF(src:usize,dst:usize,px0:usize,py0:usize,n:i32,m:i32,W:i32):void{
  const ONE=v128.load(CTAB,0);
  const NINTH=v128.load(CTAB,16);
  const H18=v128.load(CTAB,32);
  const C0=v128.load(CTAB,48);
  const C1=v128.load(CTAB,64);
  const C2=v128.load(CTAB,80);
  const C3=v128.load(CTAB,96);
  const C4=v128.load(CTAB,112);
  const C5=v128.load(CTAB,128);
  const C6=v128.load(CTAB,144);
  const C7=v128.load(CTAB,160);
  const C8=v128.load(CTAB,176);
  const C9=v128.load(CTAB,192);
  const C10=v128.load(CTAB,208);
  const ABSM=v128.load(ATAB);
  const rb=rowbuf;
  for(let i=0;i<n;i++){
    let a=src+<usize>i*544, d=dst+<usize>i*544, px=px0+<usize>(i*W)*16, py=py0+<usize>(i*W)*32,b=rb;
    const eb=b+<usize>m*16;
    let k0=v128.add<f64>(v128.add<f64>(v128.load(a,0),v128.load(a,544)),v128.load(a,1088)),k1=v128.add<f64>(v128.add<f64>(v128.load(a,16),v128.load(a,560)),v128.load(a,1104)),t0=v128.add<f64>(v128.add<f64>(v128.load(a,18496),v128.load(a,19040)),v128.load(a,19584)),t1=v128.add<f64>(v128.add<f64>(v128.load(a,18512),v128.load(a,19056)),v128.load(a,19600));
    do{
      const k2=v128.add<f64>(v128.add<f64>(v128.load(a,32),v128.load(a,576)),v128.load(a,1120)),t2=v128.add<f64>(v128.add<f64>(v128.load(a,18528),v128.load(a,19072)),v128.load(a,19616));
      const S=v128.add<f64>(v128.add<f64>(k0,k1),k2);const Q=v128.add<f64>(v128.add<f64>(t0,t1),t2);
      k0=k1;k1=k2;t0=t1;t1=t2;
      const c0A=v128.mul<f64>(S,v128.mul<f64>(v128.load64_splat(px,0),v128.load(py,0)));
      const cA=v128.pmin<f64>(v128.and(c0A,ABSM),ONE);
      const vA=v128.sqrt<f64>(v128.add<f64>(ONE,cA));const uA=v128.sqrt<f64>(v128.sub<f64>(ONE,cA));
      v128.store(b,S,0);v128.store(b,Q,544);v128.store(b,uA,1088);v128.store(b,vA,1632);v128.store(b,c0A,2176);
      a+=16;b+=16;px+=16;py+=32;
    }while(b<eb);
    b=rb;px=px0+<usize>(i*W)*16;py=py0+<usize>(i*W)*32;
    do{
      const u=v128.load(b,1088),v=v128.load(b,1632),S=v128.load(b,0),Q=v128.load(b,544);const w=v128.load(b,2176);
      const PB=v128.add<f64>(v128.mul<f64>(v128.add<f64>(v128.mul<f64>(v128.add<f64>(v128.mul<f64>(v128.add<f64>(v128.mul<f64>(v128.add<f64>(v128.mul<f64>(v128.add<f64>(v128.mul<f64>(v128.add<f64>(v128.mul<f64>(v128.add<f64>(v128.mul<f64>(v128.add<f64>(v128.mul<f64>(v128.add<f64>(v128.mul<f64>(C10,v),C9),v),C8),v),C7),v),C6),v),C5),v),C4),v),C3),v),C2),v),C1),v),C0);
      const kB=v128.add<f64>(H18,v128.xor(v128.andnot(w,ABSM),v128.sub<f64>(H18,v128.mul<f64>(u,PB))));
      const KB=v128.add<f64>(v128.mul<f64>(kB,S),v128.mul<f64>(v128.mul<f64>(v128.load64_splat(px,8),v128.load(py,16)),v128.mul<f64>(u,v)));
      const MB=v128.add<f64>(v128.mul<f64>(kB,Q),KB);
      v128.store(d,KB,560);v128.store(d,MB,19056);
      b+=16;d+=16;px+=16;py+=32;
    }while(b<eb);
  }
}

// @ts-ignore
@inline
function layerN(src:usize,dst:usize,px0:usize,py0:usize,n:i32,m:i32,W:i32):void{
  const ONE=v128.load(CTAB,0);
  const NINTH=v128.load(CTAB,16);
  const H18=v128.load(CTAB,32);
  const C0=v128.load(CTAB,48);
  const C1=v128.load(CTAB,64);
  const C2=v128.load(CTAB,80);
  const C3=v128.load(CTAB,96);
  const C4=v128.load(CTAB,112);
  const C5=v128.load(CTAB,128);
  const C6=v128.load(CTAB,144);
  const C7=v128.load(CTAB,160);
  const C8=v128.load(CTAB,176);
  const C9=v128.load(CTAB,192);
  const C10=v128.load(CTAB,208);
  const ABSM=v128.load(ATAB);
  const rb=rowbuf;
  for(let i=0;i<n;i++){
    let a=src+<usize>i*544, d=dst+<usize>i*544, px=px0+<usize>(i*W)*16, py=py0+<usize>(i*W)*32,b=rb;
    const eb=b+<usize>m*16;
    let k0=v128.add<f64>(v128.add<f64>(v128.load(a,0),v128.load(a,544)),v128.load(a,1088)),k1=v128.add<f64>(v128.add<f64>(v128.load(a,16),v128.load(a,560)),v128.load(a,1104)),t0=v128.add<f64>(v128.add<f64>(v128.load(a,18496),v128.load(a,19040)),v128.load(a,19584)),t1=v128.add<f64>(v128.add<f64>(v128.load(a,18512),v128.load(a,19056)),v128.load(a,19600));
    do{
      const k2=v128.add<f64>(v128.add<f64>(v128.load(a,32),v128.load(a,576)),v128.load(a,1120)),t2=v128.add<f64>(v128.add<f64>(v128.load(a,18528),v128.load(a,19072)),v128.load(a,19616));
      const S=v128.add<f64>(v128.add<f64>(k0,k1),k2);const Q=v128.add<f64>(v128.add<f64>(t0,t1),t2);
      k0=k1;k1=k2;t0=t1;t1=t2;
      const c0A=v128.mul<f64>(S,v128.mul<f64>(v128.load64_splat(px,0),v128.load(py,0)));
      const cA=v128.pmin<f64>(c0A,ONE);
      const vA=v128.sqrt<f64>(v128.add<f64>(ONE,cA));const uA=v128.sqrt<f64>(v128.sub<f64>(ONE,cA));
      v128.store(b,S,0);v128.store(b,Q,544);v128.store(b,uA,1088);v128.store(b,vA,1632);
      a+=16;b+=16;px+=16;py+=32;
    }while(b<eb);
    b=rb;px=px0+<usize>(i*W)*16;py=py0+<usize>(i*W)*32;
    do{
      const u=v128.load(b,1088),v=v128.load(b,1632),S=v128.load(b,0),Q=v128.load(b,544);
      const PB=v128.add<f64>(v128.mul<f64>(v128.add<f64>(v128.mul<f64>(v128.add<f64>(v128.mul<f64>(v128.add<f64>(v128.mul<f64>(v128.add<f64>(v128.mul<f64>(v128.add<f64>(v128.mul<f64>(v128.add<f64>(v128.mul<f64>(v128.add<f64>(v128.mul<f64>(v128.add<f64>(v128.mul<f64>(v128.add<f64>(v128.mul<f64>(C10,v),C9),v),C8),v),C7),v),C6),v),C5),v),C4),v),C3),v),C2),v),C1),v),C0);
      const kB=v128.sub<f64>(NINTH,v128.mul<f64>(u,PB));
      const KB=v128.add<f64>(v128.mul<f64>(kB,S),v128.mul<f64>(v128.mul<f64>(v128.load64_splat(px,8),v128.load(py,16)),v128.mul<f64>(u,v)));
      const MB=v128.add<f64>(v128.mul<f64>(kB,Q),KB);
      v128.store(d,KB,560);v128.store(d,MB,19056);
      b+=16;d+=16;px+=16;py+=32;
    }while(b<eb);
  }
}

function lf(src:usize,dst:usize,px:usize,py:usize,n:i32,m:i32,W:i32):void{layerF(src,dst,px,py,n,m,W);}
function ln(src:usize,dst:usize,px:usize,py:usize,n:i32,m:i32,W:i32):void{layerN(src,dst,px,py,n,m,W);}
// buf: 4*ARR bytes. X: image [c][p] f64; Y: [c][p][lanes]; XT: [l][p]{r,s}; YT: [l][p]{r[],s[]}. out: 2*lanes f64 accumulators (K then M)
export function sub(buf:usize,X:usize,Y:usize,XT:usize,YT:usize,out:usize,dh:i32,dw:i32,H:i32,W:i32,C:i32,L:i32,sc:f64):void{
  const P=H*W;
  const h0=max(0,-dh),w0=max(0,-dw),n=H-abs(dh),m=W-abs(dw);
  const p0=h0*W+w0,r0=(h0+dh)*W+w0+dw;
  let src=buf,dst=buf+2*ARR;
  const z=f64x2.splat(0.0);
  // zero borders
  for(let i=0;i<4;i++){const b=buf+<usize>i*ARR;for(let j=0;j<m+2;j++){v128.store(b+<usize>j*16,z);v128.store(b+<usize>((n+1)*34+j)*16,z);}
    for(let j=0;j<n+2;j++){v128.store(b+<usize>(j*34)*16,z);v128.store(b+<usize>(j*34+m+1)*16,z);}}
  const s9=f64x2.splat(sc);
  for(let i=0;i<n;i++)for(let j=0;j<m;j++){let s=z;
    for(let c=0;c<C;c++)s=v128.add<f64>(s,v128.mul<f64>(v128.load64_splat(X+<usize>(c*P+p0+i*W+j)*8),v128.load(Y+<usize>(c*P+r0+i*W+j)*16)));
    s=v128.mul<f64>(s,s9);
    const d=src+<usize>((i+1)*34+j+1)*16;v128.store(d,s);v128.store(d,s,18496);}
  let px=XT+<usize>p0*16,py=YT+<usize>r0*32;
  for(let l=0;l<L;l++){
    if(l==0)lf(src,dst,px,py,n,m,W);else ln(src,dst,px,py,n,m,W);
    const t=src;src=dst;dst=t;px+=<usize>P*16;py+=<usize>P*32;
  }
  let sk=z,sm=z;
  for(let i=0;i<n;i++)for(let j=0;j<m;j++){const d=src+<usize>((i+1)*34+j+1)*16;sk=v128.add<f64>(sk,v128.load(d));sm=v128.add<f64>(sm,v128.load(d,18496));}
  v128.store(out,f64x2.add(v128.load(out),sk));v128.store(out,f64x2.add(v128.load(out,16),sm),16);
}
export function gap(buf:usize,X:usize,Y:usize,XT:usize,YT:usize,out:usize,H:i32,W:i32,C:i32,L:i32,sc:f64):void{
  for(let dh=1-H;dh<H;dh++)for(let dw=1-W;dw<W;dw++)sub(buf,X,Y,XT,YT,out,dh,dw,H,W,C,L,sc);
}
